//! The CLIENT span: name, attributes, status, attempts, end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{get, post};
use opentelemetry::trace::{SpanKind, Status};
use telemetry::http_client::{self, Client, UrlTemplate};
use telemetry::{Retry, testing};

use crate::support::{serve, text};

fn internal() -> Client {
    http_client::internal(Duration::from_secs(5)).unwrap()
}

#[tokio::test]
async fn a_call_is_a_client_span_and_the_servers_span_is_its_child() {
    let address = serve(Router::new().route("/reservations/{id}", post(|| async { "held" }))).await;
    let client = internal();

    let recorded = testing::trace("test", async {
        let answer = client
            .post(format!("http://{address}/reservations/7?key=secret"))
            .with_extension(UrlTemplate("/reservations/{id}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.url().path(), "/reservations/7");
        answer.text().await.unwrap()
    })
    .await;

    assert_eq!(recorded.result, "held");
    assert_eq!(
        recorded.shape(),
        "test\n  POST /reservations/{id} CLIENT\n    POST /reservations/{id} SERVER\n"
    );
    let span = recorded
        .spans
        .iter()
        .find(|span| span.span_kind == SpanKind::Client)
        .unwrap();
    assert_eq!(span.status, Status::Unset);
    let url = format!("http://{address}/reservations/7?key=REDACTED");
    let port = address.port().to_string();
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
        ("url.full", &url),
        ("url.template", "/reservations/{id}"),
        ("network.protocol.version", "1.1"),
    ] {
        assert_eq!(text(span, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(text(span, "http.request.resend_count"), None);
    assert_eq!(text(span, "error.type"), None);
}

#[tokio::test]
async fn a_4xx_is_an_error_of_the_client_and_not_of_the_server() {
    let address = serve(Router::new()).await;
    let client = internal();

    let recorded = testing::trace("test", async {
        client
            .get(format!("http://{address}/nowhere"))
            .send()
            .await
            .unwrap()
            .status()
    })
    .await;

    assert_eq!(recorded.result, StatusCode::NOT_FOUND);
    assert_eq!(
        recorded.shape(),
        "test\n  GET CLIENT [error: 404]\n    GET SERVER\n"
    );
}

#[tokio::test]
async fn each_attempt_is_a_span_with_its_number() {
    let calls = Arc::new(AtomicUsize::new(0));
    let flaky = move || {
        let nth = calls.fetch_add(1, Ordering::SeqCst);
        async move {
            if nth < 2 {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::OK
            }
        }
    };
    let address = serve(Router::new().route("/risk", post(flaky))).await;
    let client = internal();

    let recorded = testing::trace("test", async {
        Retry::new(3)
            .base_delay(Duration::from_millis(1))
            .run(
                || async {
                    let answer = client
                        .post(format!("http://{address}/risk"))
                        .send()
                        .await
                        .unwrap();
                    if answer.status().is_success() {
                        Ok(())
                    } else {
                        Err(answer.status())
                    }
                },
                StatusCode::is_server_error,
            )
            .await
    })
    .await;

    assert_eq!(recorded.result, Ok(()));
    let attempts: Vec<_> = recorded
        .spans_named("POST")
        .map(|span| {
            (
                text(span, "http.request.resend_count"),
                text(span, "error.type"),
            )
        })
        .collect();
    assert_eq!(
        attempts,
        [
            (None, Some("503".to_owned())),
            (Some("1".to_owned()), Some("503".to_owned())),
            (Some("2".to_owned()), None),
        ]
    );
}

#[tokio::test]
async fn the_span_lasts_until_the_answer_is_read() {
    let address = serve(Router::new().route("/orders", get(|| async { "a list" }))).await;
    let client = internal();

    let recorded = testing::trace("test", async {
        let of_this_call = |kind: SpanKind| {
            testing::finished_spans().iter().any(|span| {
                span.span_kind == kind
                    && Some(span.span_context.trace_id().to_string())
                        == telemetry::current_trace_id()
            })
        };
        let answer = client
            .get(format!("http://{address}/orders"))
            .send()
            .await
            .unwrap();
        assert!(!of_this_call(SpanKind::Client));
        assert_eq!(answer.content_length(), Some(6));
        answer.bytes().await.unwrap();
        assert!(of_this_call(SpanKind::Client));
    })
    .await;

    assert_eq!(
        recorded.shape(),
        "test\n  GET CLIENT\n    GET /orders SERVER\n"
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_another_call() {
    let routes = Router::new()
        .route("/old", get(|| async { Redirect::temporary("/new") }))
        .route("/new", get(|| async { "new" }));
    let address = serve(routes).await;

    for client in [
        internal(),
        http_client::third_party(Duration::from_secs(5)).unwrap(),
    ] {
        let recorded = testing::trace("test", async {
            client
                .get(format!("http://{address}/old"))
                .send()
                .await
                .unwrap()
                .status()
        })
        .await;

        assert_eq!(recorded.result, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(recorded.span("GET").status, Status::Unset);
    }
}
