//! A trace by its id: both versions, both encodings, every way to be wrong.

use opentelemetry_proto::tonic::trace::v1::{Status, TracesData, span};
use prost::Message;
use serde_json::json;

use crate::support::{EPOCH, SECOND, TestTracebox, int, of, pretty, span, text};

/// Tempo's answer of the second version.
#[derive(Clone, PartialEq, Message)]
struct TraceByIdResponse {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
}

const ID: u128 = 0x00ab_cdef;

async fn with_one_trace() -> TestTracebox {
    let tracebox = TestTracebox::start().await;
    let mut root = span(ID, 1, 0, "POST /checkout", 80);
    root.flags = 0x101;
    root.attributes = vec![text("tenant.id", "acme"), int("order.item_count", 2)];
    root.events = vec![span::Event {
        time_unix_nano: EPOCH * SECOND + 5,
        name: "cache miss".to_owned(),
        ..span::Event::default()
    }];
    root.status = Some(Status {
        code: 2,
        message: "declined".to_owned(),
    });
    let mut child = span(ID, 2, 1, "charge", 30);
    child.kind = 3;
    child.links = vec![span::Link {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        ..span::Link::default()
    }];
    tracebox.export(of("orders", vec![root, child])).await;
    tracebox
}

#[tokio::test]
async fn both_versions_in_json_have_tempos_shape() {
    let tracebox = with_one_trace().await;
    let v1 = tracebox.json("/api/traces/abcdef").await;
    insta::assert_snapshot!(pretty(&v1));
    let v2 = tracebox.json("/api/v2/traces/abcdef").await;
    assert_eq!(v2["trace"]["resourceSpans"], v1["batches"]);
    assert_eq!(v2["metrics"], json!({}));
}

#[tokio::test]
async fn both_versions_in_protobuf_have_the_spans() {
    let tracebox = with_one_trace().await;
    let v1 = tracebox
        .get_as("/api/traces/abcdef", "application/protobuf")
        .await;
    assert_eq!(v1.headers()["content-type"], "application/protobuf");
    let v1 = TracesData::decode(v1.bytes().await.unwrap()).unwrap();
    let spans = &v1.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans.len(), 2);
    assert_eq!(
        spans[0].attributes,
        [text("tenant.id", "acme"), int("order.item_count", 2)]
    );

    let v2 = tracebox
        .get_as("/api/v2/traces/abcdef", "application/protobuf")
        .await;
    let v2 = TraceByIdResponse::decode(v2.bytes().await.unwrap()).unwrap();
    assert_eq!(v2.trace, Some(v1));
}

#[tokio::test]
async fn an_id_is_found_in_every_spelling() {
    let tracebox = with_one_trace().await;
    for id in [
        "abcdef",
        "ABCDEF",
        "0abcdef",
        "00000000000000000000000000abcdef",
    ] {
        let range = format!("?start={}&end={}", EPOCH - 1, EPOCH + 1);
        assert_eq!(
            tracebox.get(&format!("/api/traces/{id}")).await.status(),
            200,
            "{id}"
        );
        assert_eq!(
            tracebox
                .get(&format!("/api/v2/traces/{id}{range}"))
                .await
                .status(),
            200
        );
    }
}

#[tokio::test]
async fn an_unknown_trace_is_404_in_the_first_and_empty_in_the_second_version() {
    let tracebox = TestTracebox::start().await;
    let (status, text) = tracebox.refused("/api/traces/1234").await;
    assert_eq!((status, text.as_str()), (404, "trace not found"));
    let v2 = tracebox.json("/api/v2/traces/1234").await;
    assert_eq!(v2, json!({"trace": {}, "metrics": {}}));
    let v2 = tracebox
        .get_as("/api/v2/traces/1234", "application/protobuf")
        .await;
    assert_eq!(v2.status(), 200);
    let v2 = TraceByIdResponse::decode(v2.bytes().await.unwrap()).unwrap();
    assert_eq!(v2.trace, Some(TracesData::default()));
}

#[tokio::test]
async fn an_invalid_id_or_range_is_400_with_the_reason() {
    let tracebox = TestTracebox::start().await;
    for version in ["/api/traces", "/api/v2/traces"] {
        let (status, text) = tracebox.refused(&format!("{version}/12g4")).await;
        assert_eq!(status, 400);
        assert!(
            text.contains("invalid character 'g' at position 3"),
            "{text}"
        );
        let long = "a".repeat(33);
        let (status, text) = tracebox.refused(&format!("{version}/{long}")).await;
        assert_eq!(
            (status, text.as_str()),
            (400, "trace IDs can't be larger than 128 bits")
        );
        let (status, _) = tracebox
            .refused(&format!("{version}/12?start=5&end=5"))
            .await;
        assert_eq!(status, 400);
    }
}

#[tokio::test]
async fn the_small_endpoints_answer_as_tempos() {
    let tracebox = with_one_trace().await;
    let text = async |path: &str| tracebox.get(path).await.text().await.unwrap();
    assert_eq!(text("/ready").await.trim(), "ready");
    assert_eq!(text("/api/echo").await.trim(), "echo");
    let build = tracebox.json("/api/status/buildinfo").await;
    assert!(build["version"].is_string());
    let metrics = text("/metrics").await;
    assert!(
        metrics.contains("\ntracebox_spans_received_total 2\n"),
        "{metrics}"
    );
    assert!(metrics.contains("tracebox_spans_refused_total{reason=\"trace_full\"} 0\n"));
    assert_eq!(tracebox.get("/api/nothing").await.status(), 404);
}
