//! The CLIENT span when there is no answer, or only half of one.

use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;
use telemetry::http_client::{self, Client};
use telemetry::testing::{self, Recorded};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{PATIENCE, text};

fn internal() -> Client {
    http_client::internal(PATIENCE).unwrap()
}

/// A server that reads a request, writes `answer` and then closes, or stays silent.
async fn scripted(answer: Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    telemetry::spawn_detached(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _read = stream.read(&mut request).await.unwrap();
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            None => std::future::pending().await,
        }
    });
    address
}

fn client_span<T>(recorded: &Recorded<T>) -> &SpanData {
    recorded
        .spans
        .iter()
        .find(|span| span.span_kind == SpanKind::Client)
        .unwrap()
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_connect_error_without_the_query_in_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = internal();

    let recorded = testing::trace("test", async {
        client
            .get(format!("http://{address}/orders?token=tok_visa"))
            .send()
            .await
            .is_err()
    })
    .await;

    assert!(recorded.result);
    let span = client_span(&recorded);
    assert!(testing::is_error(span));
    assert_eq!(text(span, "error.type").as_deref(), Some("connect"));
    assert_eq!(text(span, "http.response.status_code"), None);
    assert!(span.events.iter().any(|event| event.name == "exception"));
    assert!(!format!("{span:?}").contains("tok_visa"), "{span:#?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_a_timeout() {
    let address = scripted(None).await;
    let client = http_client::internal(Duration::from_millis(50)).unwrap();

    let recorded = testing::trace("test", async {
        client
            .get(format!("http://{address}/"))
            .send()
            .await
            .is_err()
    })
    .await;

    assert!(recorded.result);
    assert_eq!(
        recorded.shape(),
        "test\n  GET CLIENT (exception) [error: timeout]\n"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let address = scripted(Some("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")).await;
    let client = internal();

    let recorded = testing::trace("test", async {
        let answer = client
            .get(format!("http://{address}/"))
            .send()
            .await
            .unwrap();
        answer.text().await.is_err()
    })
    .await;

    assert!(recorded.result);
    let span = client_span(&recorded);
    assert!(testing::is_error(span));
    assert_eq!(text(span, "error.type").as_deref(), Some("response_body"));
    assert_eq!(
        text(span, "http.response.status_code").as_deref(),
        Some("200")
    );
}

#[tokio::test]
async fn a_call_given_up_before_its_answer_is_cancelled() {
    let address = scripted(None).await;
    let client = internal();

    let recorded = testing::trace("test", async {
        let call = client.get(format!("http://{address}/")).send();
        tokio::time::timeout(Duration::from_millis(50), call)
            .await
            .is_err()
    })
    .await;

    assert!(recorded.result);
    assert_eq!(recorded.shape(), "test\n  GET CLIENT [error: cancelled]\n");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_not_cancelled() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let address = scripted(Some(answer)).await;
    let client = internal();

    let recorded = testing::trace("test", async {
        let answer = client
            .get(format!("http://{address}/"))
            .send()
            .await
            .unwrap();
        answer.status().is_success()
    })
    .await;

    assert!(recorded.result);
    assert_eq!(recorded.shape(), "test\n  GET CLIENT\n");
}
