//! Every way in: gRPC and HTTP, protobuf and JSON, plain and gzip; and what is refused.

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, logs_service_client::LogsServiceClient,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
};
use prost::Message;
use serde_json::{Value, json};
use tonic::codec::CompressionEncoding;

use crate::support::{TestTracebox, gzip, of, pretty, span};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

fn request_json(trace: &str) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]},
        "scopeSpans": [{
            "scope": {"name": "js", "version": null},
            "spans": [{
                "traceId": trace, "spanId": "00000000000000AB", "parentSpanId": null,
                "name": "GET /", "kind": "SPAN_KIND_SERVER",
                "startTimeUnixNano": "1700000000000000001", "endTimeUnixNano": 1_700_000_001_000_000_001_u64,
                "attributes": [
                    {"key": "int", "value": {"intValue": "-7"}},
                    {"key": "int too", "value": {"intValue": 8}},
                    {"key": "nan", "value": {"doubleValue": "NaN"}},
                    {"key": "list", "value": {"arrayValue": {}}},
                    {"key": "map", "value": {"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": true}}]}}},
                    {"key": "bytes", "value": {"bytesValue": "AAE="}},
                    {"key": "nothing", "value": {}},
                ],
                "events": [{"timeUnixNano": "1700000000500000000", "name": "cache miss"}],
                "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331"}],
                "status": {"code": 2, "message": "boom"},
                "someFutureField": {"a": [1]},
            }],
        }],
    }]})
}

#[tokio::test]
async fn grpc_plain_and_gzip_are_stored() {
    let tracebox = TestTracebox::start().await;
    let mut plain = tracebox.grpc().await;
    let answer = plain.export(of("a", vec![span(1, 1, 0, "one", 5)])).await;
    assert_eq!(answer.unwrap().into_inner().partial_success, None);

    let mut gzip = tracebox
        .grpc()
        .await
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    gzip.export(of("a", vec![span(1, 2, 1, "two", 5)]))
        .await
        .unwrap();
    assert_eq!(tracebox.running.store().figures().spans_stored, 2);
}

#[tokio::test]
async fn http_protobuf_plain_and_gzip_are_stored() {
    let tracebox = TestTracebox::start().await;
    for (id, headers) in [(1, vec![PROTOBUF]), (2, vec![PROTOBUF, GZIP])] {
        let body = of("a", vec![span(1, id, 0, "one", 5)]).encode_to_vec();
        let body = if headers.contains(&GZIP) {
            gzip(&body)
        } else {
            body
        };
        let response = tracebox.post("/v1/traces", &headers, body).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-protobuf");
        let answer = ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
        assert_eq!(answer, ExportTraceServiceResponse::default());
    }
    assert_eq!(tracebox.running.store().figures().spans_stored, 2);
}

#[tokio::test]
async fn http_json_of_many_writers_is_stored() {
    let tracebox = TestTracebox::start().await;
    let body = request_json("5B8EFFF798038103D269B633813FC60C").to_string();
    let content_type = ("content-type", "application/json; charset=utf-8");
    let response = tracebox
        .post("/v1/traces", &[content_type], body.clone())
        .await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), "{}");

    let gzipped = gzip(body.as_bytes());
    let again = tracebox.post("/v1/traces", &[JSON, GZIP], gzipped).await;
    assert_eq!(again.status(), 200);
    let figures = tracebox.running.store().figures();
    assert_eq!((figures.spans_stored, figures.spans_duplicate), (1, 1));

    let stored = tracebox
        .json("/api/traces/5b8efff798038103d269b633813fc60c")
        .await;
    insta::assert_snapshot!(pretty(&stored));
}

#[tokio::test]
async fn refused_spans_are_a_partial_success_in_each_encoding() {
    let tracebox = TestTracebox::start().await;
    let invalid = || of("a", vec![span(0, 1, 0, "x", 1), span(1, 1, 0, "y", 1)]);

    let partial = tracebox.export(invalid()).await.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert_eq!(
        partial.error_message,
        "trace id is not 16 bytes or is all zero"
    );

    let body = invalid().encode_to_vec();
    let response = tracebox.post("/v1/traces", &[PROTOBUF], body).await;
    let answer = ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer.partial_success.unwrap().rejected_spans, 1);

    let body = request_json("0102").to_string();
    let response = tracebox.post("/v1/traces", &[JSON], body).await;
    assert_eq!(response.status(), 200);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1");
}

#[tokio::test]
async fn the_cap_of_a_trace_is_told() {
    let tracebox = TestTracebox::with(|config| config.max_spans_per_trace = 3).await;
    let spans = (1..=5).map(|id| span(1, id, 0, "x", 1)).collect();
    let partial = tracebox
        .export(of("a", spans))
        .await
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert!(partial.error_message.contains("trace is full"));
}

#[tokio::test]
async fn malformed_requests_are_400_in_the_requests_encoding() {
    let tracebox = TestTracebox::start().await;
    let response = tracebox
        .post("/v1/traces", &[PROTOBUF], vec![0xff; 9])
        .await;
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["content-type"], "application/x-protobuf");
    let status = RpcStatus::decode(response.bytes().await.unwrap()).unwrap();
    assert_eq!(status.code, 3);
    assert!(status.message.starts_with("cannot read the request"));

    for body in [
        "",
        "{",
        "[]",
        "{\"resourceSpans\": 5}",
        &request_json("xyz").to_string(),
    ] {
        for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
            if path != "/v1/traces" && body.contains('5') {
                continue;
            }
            let response = tracebox.post(path, &[JSON], body.to_owned()).await;
            assert_eq!(response.status(), 400, "{path} {body}");
            let status: Value = response.json().await.unwrap();
            assert_eq!(status["code"], 3);
        }
    }

    let broken = tracebox
        .post("/v1/traces", &[PROTOBUF, GZIP], vec![1, 2, 3])
        .await;
    assert_eq!(broken.status(), 400);
    assert!(tracebox.running.store().figures().requests_malformed >= 8);
}

#[tokio::test]
async fn other_content_types_and_encodings_are_415() {
    let tracebox = TestTracebox::start().await;
    for headers in [
        vec![("content-type", "text/plain")],
        vec![],
        vec![PROTOBUF, ("content-encoding", "br")],
    ] {
        let response = tracebox.post("/v1/traces", &headers, "x").await;
        assert_eq!(response.status(), 415, "{headers:?}");
    }
}

#[tokio::test]
async fn a_request_over_the_limit_is_413_also_when_it_was_small_before_decompression() {
    let tracebox = TestTracebox::with(|config| config.max_request = 1000).await;
    let body = vec![b' '; 2000];
    let response = tracebox.post("/v1/traces", &[JSON], body.clone()).await;
    assert_eq!(response.status(), 413);
    let status: Value = response.json().await.unwrap();
    assert_eq!(status["message"], "request is larger than 1000 bytes");

    let response = tracebox
        .post("/v1/traces", &[PROTOBUF, GZIP], gzip(&body))
        .await;
    assert_eq!(response.status(), 413);

    let many = (1..100).map(|id| span(1, id, 0, "x", 1)).collect();
    let refused = tracebox
        .grpc()
        .await
        .export(of("a", many))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::OutOfRange);
}

#[tokio::test]
async fn logs_and_metrics_are_accepted_and_counted() {
    let tracebox = TestTracebox::start().await;
    let logs = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord::default(); 3],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    let metrics = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    data: Some(Data::Gauge(Gauge {
                        data_points: vec![NumberDataPoint::default(); 2],
                    })),
                    ..Metric::default()
                }],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    };
    let grpc = format!("http://{}", tracebox.running.otlp_grpc_addr());
    let mut logs_client = LogsServiceClient::connect(grpc.clone()).await.unwrap();
    logs_client.export(logs.clone()).await.unwrap();
    let mut metrics_client = MetricsServiceClient::connect(grpc).await.unwrap();
    metrics_client.export(metrics.clone()).await.unwrap();

    for (path, protobuf, text) in [
        (
            "/v1/logs",
            logs.encode_to_vec(),
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}"#,
        ),
        (
            "/v1/metrics",
            metrics.encode_to_vec(),
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{"asInt":"1"}]}}]}]}]}"#,
        ),
    ] {
        let response = tracebox.post(path, &[PROTOBUF], protobuf).await;
        assert_eq!(response.status(), 200);
        let response = tracebox.post(path, &[JSON], text).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), "{}");
    }
    let figures = tracebox.running.store().figures();
    assert_eq!(figures.log_records_received, 7);
    assert_eq!(figures.data_points_received, 5);
}
