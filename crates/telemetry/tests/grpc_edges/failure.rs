//! Calls that get no answer, and attempts to get one.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use telemetry::grpc_client::{self, ChannelError};
use telemetry::{Retry, testing};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::Code;

use crate::notes::{NotesClient, PATIENCE, channel, serve, serve_telling, text};

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut client = NotesClient::new(channel(address, PATIENCE));

    let recorded = testing::trace("test", client.say("hello")).await;

    assert_eq!(
        recorded.result.as_ref().unwrap_err().code(),
        Code::Unavailable
    );
    assert_eq!(
        recorded.shape(),
        "test\n  test.Notes/Say CLIENT (exception) [error: UNAVAILABLE]\n"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_exceeds_the_deadline() {
    let mut client = NotesClient::new(channel(serve().await, Duration::from_secs(1)));
    client.say("open the connection").await.unwrap();

    let recorded = testing::trace("test", client.say("wait")).await;

    assert_eq!(
        recorded.result.as_ref().unwrap_err().code(),
        Code::DeadlineExceeded
    );
    let span = recorded
        .spans
        .iter()
        .find(|span| span.span_kind == SpanKind::Client)
        .unwrap();
    assert_eq!(
        text(span, "error.type").as_deref(),
        Some("DEADLINE_EXCEEDED")
    );
}

#[tokio::test]
async fn a_call_given_up_is_cancelled_on_both_sides() {
    let waiting = Arc::new(Notify::new());
    let address = serve_telling(waiting.clone()).await;
    let mut client = NotesClient::new(channel(address, PATIENCE));

    let recorded = testing::trace("test", async {
        tokio::select! {
            answer = client.say("wait") => panic!("nobody answers: {answer:?}"),
            () = waiting.notified() => {}
        }
    })
    .await;

    for span in recorded.spans_named("test.Notes/Say") {
        assert_eq!(
            text(span, "rpc.response.status_code").as_deref(),
            Some("CANCELLED")
        );
        match span.span_kind {
            SpanKind::Server => assert_eq!(span.status, Status::Unset),
            _ => assert_eq!(text(span, "error.type").as_deref(), Some("CANCELLED")),
        }
    }
    assert_eq!(recorded.spans_named("test.Notes/Say").count(), 2);
}

#[tokio::test]
async fn a_panic_in_a_method_is_an_error_of_the_server() {
    let mut client = NotesClient::connected().await;

    let recorded = testing::trace("test", client.say("panic")).await;

    assert!(recorded.result.is_err());
    let server = recorded
        .spans
        .iter()
        .find(|span| span.span_kind == SpanKind::Server)
        .unwrap();
    assert!(testing::is_error(server));
    assert_eq!(text(server, "error.type").as_deref(), Some("panic"));
}

#[tokio::test]
async fn each_attempt_is_a_span_with_its_number() {
    let address = serve().await;
    let calls = Cell::new(0);

    let recorded = testing::trace("test", async {
        Retry::new(3)
            .base_delay(Duration::from_millis(1))
            .run(
                || {
                    calls.set(calls.get() + 1);
                    let wish = if calls.get() < 3 {
                        "status:14"
                    } else {
                        "hello"
                    };
                    let mut client = NotesClient::new(channel(address, PATIENCE));
                    async move { client.say(wish).await }
                },
                |status| status.code() == Code::Unavailable,
            )
            .await
    })
    .await;

    assert!(recorded.result.is_ok());
    let attempts: Vec<_> = recorded
        .spans_named("test.Notes/Say")
        .filter(|span| span.span_kind == SpanKind::Client)
        .map(|span| {
            let attempt = text(span, "retry.attempt").unwrap();
            let code = text(span, "rpc.response.status_code").unwrap();
            format!("{attempt} {code}")
        })
        .collect();
    assert_eq!(attempts, ["0 UNAVAILABLE", "1 UNAVAILABLE", "2 OK"]);
}

#[tokio::test]
async fn a_channel_wants_a_plain_http_url() {
    for url in ["https://127.0.0.1:50051", "unix:///run/pricing.sock"] {
        let refused = grpc_client::channel(&url.parse().unwrap(), PATIENCE);

        assert!(matches!(refused, Err(ChannelError::Url(_))), "{url}");
    }
}
