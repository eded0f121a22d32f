//! What a call carries in and out, and what makes no span.

use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::TraceId;
use telemetry::{TraceCarrier, http_client, testing, with_tenant};

use crate::notes::{NotesClient, PATIENCE, serve};

/// The context of a trace that somebody else started.
fn foreign(trace_id: TraceId, flags: &str) -> Context {
    testing::install();
    TraceCarrier {
        traceparent: Some(format!("00-{trace_id}-00f067aa0ba902b7-{flags}")),
        tracestate: None,
        baggage: None,
    }
    .context()
}

#[tokio::test]
async fn an_unsampled_trace_stays_unsampled_and_keeps_its_id() {
    let mut client = NotesClient::connected().await;
    let trace_id = TraceId::from(rand::random::<u128>());

    let sent = client
        .say("context")
        .with_context(foreign(trace_id, "00"))
        .await
        .unwrap();

    assert!(
        sent.starts_with(&format!("traceparent: 00-{trace_id}-")),
        "{sent}"
    );
    assert!(sent.ends_with("-00\n"), "{sent}");
    assert!(
        testing::finished_spans()
            .iter()
            .all(|span| span.span_context.trace_id() != trace_id)
    );
}

#[tokio::test]
async fn a_sampled_trace_of_another_program_goes_on() {
    let mut client = NotesClient::connected().await;
    let trace_id = TraceId::from(rand::random::<u128>());

    let sent = client
        .say("context")
        .with_context(foreign(trace_id, "01"))
        .await
        .unwrap();

    assert!(
        sent.starts_with(&format!("traceparent: 00-{trace_id}-")),
        "{sent}"
    );
    assert!(sent.ends_with("-01\n"), "{sent}");
}

#[tokio::test]
async fn the_tenant_in_the_baggage_reaches_the_service() {
    let mut client = NotesClient::connected().await;

    let recorded = testing::trace("test", with_tenant("small", client.say("context"))).await;

    let sent = recorded.result.unwrap();
    assert!(sent.contains("baggage: tenant.id=small"), "{sent}");
}

#[tokio::test]
async fn an_untraced_call_makes_no_client_span_and_sends_nothing() {
    let mut client = NotesClient::connected().await;

    let recorded = testing::trace("test", telemetry::untraced(client.say("context"))).await;

    assert_eq!(recorded.result.as_deref().unwrap(), "");
    assert_eq!(recorded.shape(), "test\n");
}

#[tokio::test]
async fn health_on_the_same_port_makes_no_server_span() {
    let address = serve().await;
    let client = http_client::internal(PATIENCE).unwrap();

    let recorded = testing::trace("test", async {
        let answer = client.get(format!("http://{address}/health")).send().await;
        answer.unwrap().text().await.unwrap()
    })
    .await;

    assert_eq!(recorded.result, "up");
    assert_eq!(recorded.shape(), "test\n  GET CLIENT\n");
}
