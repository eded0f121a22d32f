//! What a request carries in, and what our client carries out.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::get;
use opentelemetry::trace::SpanId;
use telemetry::http_client::{self, Client};
use telemetry::testing;

use crate::support::{Foreign, call, finished, serve, the_span, the_spans, trace_id_in};

/// The trace headers a server received, one a line.
async fn echo(headers: HeaderMap) -> String {
    ["traceparent", "tracestate", "baggage"]
        .iter()
        .filter_map(|name| Some(format!("{name}: {}\n", headers.get(*name)?.to_str().ok()?)))
        .collect()
}

async fn echo_server() -> SocketAddr {
    serve(Router::new().route("/echo", get(echo))).await
}

/// A server whose handler calls the echo server and answers with what arrived there.
async fn front(client: Client) -> SocketAddr {
    #[tracing::instrument(name = "forward", skip_all)]
    async fn forward(State((client, back)): State<(Client, SocketAddr)>) -> String {
        let answer = client.get(format!("http://{back}/echo")).send().await;
        answer.unwrap().text().await.unwrap()
    }
    let back = echo_server().await;
    serve(
        Router::new()
            .route("/front", get(forward))
            .with_state((client, back)),
    )
    .await
}

fn internal() -> Client {
    http_client::internal(Duration::from_secs(5)).unwrap()
}

#[tokio::test]
async fn a_trace_started_by_another_program_goes_through_both_hops() {
    let address = front(internal()).await;
    let foreign = Foreign::sampled();

    let answer = call(
        address,
        "GET /front",
        &[
            ("traceparent", &foreign.traceparent),
            ("tracestate", "vendor=1"),
        ],
    )
    .await;

    assert!(answer.contains(&format!("traceparent: 00-{}-", foreign.trace_id)));
    assert!(answer.contains("tracestate: vendor=1"), "{answer}");
    let mut spans = the_spans(foreign.trace_id, 4).await;
    spans.sort_by_key(|span| span.start_time);
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(names, ["GET /front", "forward", "GET", "GET /echo"]);
    for (parent, child) in spans.iter().zip(&spans[1..]) {
        assert_eq!(child.parent_span_id, parent.span_context.span_id());
    }
}

#[tokio::test]
async fn an_unsampled_trace_stays_unsampled_and_keeps_its_id() {
    let address = front(internal()).await;
    let foreign = Foreign::unsampled();

    let answer = call(
        address,
        "GET /front",
        &[("traceparent", &foreign.traceparent)],
    )
    .await;

    assert_eq!(trace_id_in(&answer), Some(foreign.trace_id));
    let sent = answer
        .lines()
        .find_map(|line| line.strip_prefix("traceparent: "))
        .expect("the context is forwarded");
    assert!(sent.contains(&foreign.trace_id.to_string()), "{sent}");
    assert!(sent.ends_with("-00"), "{sent}");
    assert!(finished(foreign.trace_id).is_empty());
}

#[tokio::test]
async fn a_malformed_traceparent_starts_a_new_trace() {
    let address = echo_server().await;
    let too_long = format!("00-{}", "a".repeat(2000));

    for malformed in [
        "",
        "garbage",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
        "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7",
        too_long.as_str(),
    ] {
        let answer = call(address, "GET /echo", &[("traceparent", malformed)]).await;

        assert!(answer.starts_with("HTTP/1.1 200"), "{malformed}: {answer}");
        let span = the_span(trace_id_in(&answer).unwrap()).await;
        assert_eq!(span.parent_span_id, SpanId::INVALID, "{malformed}");
    }
}

#[tokio::test]
async fn the_tenant_in_the_baggage_reaches_the_next_hop() {
    let address = front(internal()).await;

    let answer = call(address, "GET /front", &[("baggage", "tenant.id=small")]).await;

    assert!(answer.contains("baggage: tenant.id=small"), "{answer}");
}

#[tokio::test]
async fn baggage_that_is_too_large_is_dropped_and_the_request_is_served() {
    let address = front(internal()).await;
    let huge = format!("tenant.id={}", "x".repeat(20_000));

    let answer = call(address, "GET /front", &[("baggage", &huge)]).await;

    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("baggage:"), "{answer}");
}

#[tokio::test]
async fn baggage_with_too_many_entries_is_cut_and_the_request_is_served() {
    let address = front(internal()).await;
    let many: Vec<String> = (0..200).map(|nth| format!("key{nth}=1")).collect();

    let answer = call(address, "GET /front", &[("baggage", &many.join(","))]).await;

    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.matches("=1").count() <= 64, "{answer}");
}

#[tokio::test]
async fn nothing_about_the_trace_is_sent_to_a_third_party() {
    let address = front(http_client::third_party(Duration::from_secs(5)).unwrap()).await;
    let foreign = Foreign::sampled();

    let answer = call(
        address,
        "GET /front",
        &[
            ("traceparent", &foreign.traceparent),
            ("tracestate", "vendor=1"),
            ("baggage", "tenant.id=small"),
        ],
    )
    .await;

    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "");
    let spans = the_spans(foreign.trace_id, 3).await;
    assert!(spans.iter().any(|span| span.name == "GET"), "{spans:#?}");
}

#[tokio::test]
async fn an_untraced_call_makes_no_span_and_sends_nothing() {
    let back = echo_server().await;
    let client = internal();

    let recorded = testing::trace("test", async {
        telemetry::untraced(async {
            let answer = client.get(format!("http://{back}/echo")).send().await;
            answer.unwrap().text().await.unwrap()
        })
        .await
    })
    .await;

    assert_eq!(recorded.result, "");
    assert_eq!(recorded.shape(), "test\n");
}
