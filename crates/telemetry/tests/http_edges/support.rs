//! A server on a free port, a caller that is not ours, and a look at finished spans.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use opentelemetry::trace::TraceId;
use opentelemetry_sdk::trace::SpanData;
use telemetry::testing;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Serves `routes`, traced, on a free port.
pub(crate) async fn serve(routes: Router) -> SocketAddr {
    testing::install();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = routes
        .layer(telemetry::http_server::layer())
        .into_make_service_with_connect_info::<SocketAddr>();
    telemetry::spawn_detached(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// A trace that somebody else started.
pub(crate) struct Foreign {
    pub(crate) trace_id: TraceId,
    pub(crate) traceparent: String,
}

impl Foreign {
    pub(crate) fn sampled() -> Self {
        Self::with_flags("01")
    }

    pub(crate) fn unsampled() -> Self {
        Self::with_flags("00")
    }

    fn with_flags(flags: &str) -> Self {
        let trace_id = TraceId::from(rand::random::<u128>());
        Self {
            trace_id,
            traceparent: format!("00-{trace_id}-00f067aa0ba902b7-{flags}"),
        }
    }
}

/// Opens a connection and writes a request by hand, as a caller without our client does.
pub(crate) async fn open(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut request = format!("{line} HTTP/1.1\r\nhost: shop.test:8080\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("connection: close\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The whole answer to such a request, as text.
pub(crate) async fn call(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> String {
    let mut stream = open(address, line, headers).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Reads until the head of the answer is complete.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

/// The trace id that the answer bears.
pub(crate) fn trace_id_in(answer: &str) -> Option<TraceId> {
    let (_, rest) = answer.split_once("x-trace-id: ")?;
    TraceId::from_hex(rest.lines().next()?).ok()
}

/// The finished spans of a trace that no `testing::trace` collects.
pub(crate) fn finished(trace_id: TraceId) -> Vec<SpanData> {
    let mut spans = testing::finished_spans();
    spans.retain(|span| span.span_context.trace_id() == trace_id);
    spans
}

/// The one span of such a trace, as soon as it has ended.
pub(crate) async fn the_span(trace_id: TraceId) -> SpanData {
    let mut spans = the_spans(trace_id, 1).await;
    assert_eq!(spans.len(), 1, "{spans:#?}");
    spans.remove(0)
}

/// At least `count` spans of such a trace, as soon as they have ended.
pub(crate) async fn the_spans(trace_id: TraceId, count: usize) -> Vec<SpanData> {
    let ended = async {
        loop {
            let spans = finished(trace_id);
            if spans.len() >= count {
                return spans;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("the spans end in time")
}

/// An attribute as text.
pub(crate) fn text(span: &SpanData, key: &str) -> Option<String> {
    testing::attribute(span, key).map(|value| value.as_str().into_owned())
}
