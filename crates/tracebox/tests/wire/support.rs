//! A running tracebox, spans to send, and a client.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use reqwest::{Client, Response};
use tonic::transport::Channel;
use tracebox::{Config, Running, Tracebox};

pub(crate) struct TestTracebox {
    pub(crate) running: Running,
    pub(crate) client: Client,
}

impl TestTracebox {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::on_free_ports();
        change(&mut config);
        Self {
            running: Tracebox::start(config).await.unwrap(),
            client: client(),
        }
    }

    pub(crate) async fn grpc(&self) -> TraceServiceClient<Channel> {
        let address = format!("http://{}", self.running.otlp_grpc_addr());
        TraceServiceClient::connect(address).await.unwrap()
    }

    pub(crate) async fn export(
        &self,
        request: ExportTraceServiceRequest,
    ) -> ExportTraceServiceResponse {
        let mut client = self.grpc().await;
        client.export(request).await.unwrap().into_inner()
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let url = format!("http://{}{path}", self.running.otlp_http_addr());
        let mut request = self.client.post(url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, path_and_query: &str) -> Response {
        self.get_as(path_and_query, "application/json").await
    }

    pub(crate) async fn get_as(&self, path_and_query: &str, accept: &str) -> Response {
        let url = format!("http://{}{path_and_query}", self.running.query_addr());
        let request = self.client.get(url).header("accept", accept);
        request.send().await.unwrap()
    }

    pub(crate) async fn json(&self, path_and_query: &str) -> serde_json::Value {
        let response = self.get(path_and_query).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path_and_query}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Status and text of a refused request.
    pub(crate) async fn refused(&self, path_and_query: &str) -> (u16, String) {
        let response = self.get(path_and_query).await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Searches with the given parameters; answers the trace ids in order.
    pub(crate) async fn found(&self, parameters: &[(&str, &str)]) -> Vec<String> {
        let query = query(parameters);
        let answer = self.json(&format!("/api/search?{query}")).await;
        let traces = answer["traces"].as_array().unwrap();
        let id = |trace: &serde_json::Value| trace["traceID"].as_str().unwrap().to_owned();
        traces.iter().map(id).collect()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "these requests ask a trace store and are no part of any trace"
)]
pub(crate) fn client() -> Client {
    Client::new()
}

pub(crate) fn query(parameters: &[(&str, &str)]) -> String {
    let encode =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let pairs = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

pub(crate) const SECOND: u64 = 1_000_000_000;
/// When the traces of these tests start, in seconds.
pub(crate) const EPOCH: u64 = 1_700_000_000;

/// A span of `milliseconds` that starts at [`EPOCH`].
pub(crate) fn span(trace: u128, id: u64, parent: u64, name: &str, milliseconds: u64) -> Span {
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: match parent {
            0 => Vec::new(),
            parent => parent.to_be_bytes().to_vec(),
        },
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: EPOCH * SECOND,
        end_time_unix_nano: EPOCH * SECOND + milliseconds * 1_000_000,
        status: Some(Status::default()),
        ..Span::default()
    }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

pub(crate) fn of(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![resource_spans(service, spans)],
    }
}

pub(crate) fn resource_spans(service: &str, spans: Vec<Span>) -> ResourceSpans {
    ResourceSpans {
        resource: Some(Resource {
            attributes: vec![text("service.name", service)],
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "test".to_owned(),
                ..InstrumentationScope::default()
            }),
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    }
}

/// A gzip file with one stored (not compressed) block per 65,535 bytes.
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut chunks = content.chunks(65_535).peekable();
    while let Some(chunk) = chunks.next() {
        let length = u16::try_from(chunk.len()).unwrap();
        out.push(u8::from(chunks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(chunk);
    }
    let crc = content.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    out.extend((!crc).to_le_bytes());
    out.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    out
}

/// JSON for a snapshot: keys in alphabetical order, whatever order the map keeps.
pub(crate) fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(&sorted(value)).unwrap()
}

fn sorted(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            let fields = fields.into_iter();
            fields
                .map(|(key, value)| (key.clone(), sorted(value)))
                .collect()
        }
        serde_json::Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
