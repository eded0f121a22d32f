//! The SERVER span ends with the body, whatever ends the body.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use opentelemetry::trace::Status;
use telemetry::testing;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;

use crate::support::{Foreign, call, finished, open, read_head, serve, text, the_span};

#[tokio::test]
async fn the_span_lasts_until_the_body_ends() {
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    let slow = move || {
        let gate = opened.clone();
        async move {
            let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"first "))]);
            let last = stream::once(async move {
                gate.notified().await;
                Ok(Bytes::from_static(b"last"))
            });
            Body::from_stream(first.chain(last))
        }
    };
    let address = serve(Router::new().route("/slow", get(slow))).await;
    let foreign = Foreign::sampled();
    let mut stream = open(
        address,
        "GET /slow",
        &[("traceparent", &foreign.traceparent)],
    )
    .await;

    read_head(&mut stream).await;
    assert!(finished(foreign.trace_id).is_empty());
    gate.notify_one();
    let mut body = String::new();
    stream.read_to_string(&mut body).await.unwrap();

    assert!(body.contains("last"), "{body}");
    let span = the_span(foreign.trace_id).await;
    assert_eq!(span.status, Status::Unset);
    assert_eq!(text(&span, "error.type"), None);
}

#[tokio::test]
async fn what_the_body_does_belongs_to_the_span() {
    let counted = || async {
        Body::from_stream(stream::once(async {
            telemetry::event("rows read", []);
            Ok::<_, Infallible>(telemetry::current_trace_id().unwrap_or_default())
        }))
    };
    let address = serve(Router::new().route("/rows", get(counted))).await;
    let foreign = Foreign::sampled();

    let answer = call(
        address,
        "GET /rows",
        &[("traceparent", &foreign.traceparent)],
    )
    .await;

    assert!(answer.contains(&foreign.trace_id.to_string()), "{answer}");
    let span = the_span(foreign.trace_id).await;
    assert!(span.events.iter().any(|event| event.name == "rows read"));
}

#[tokio::test]
async fn a_body_that_fails_is_an_error() {
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    let broken = move || {
        let gate = opened.clone();
        async move {
            let first = stream::iter([Ok(Bytes::from_static(b"half"))]);
            let failure = stream::once(async move {
                gate.notified().await;
                Err(std::io::Error::other("the disk is gone"))
            });
            Body::from_stream(first.chain(failure))
        }
    };
    let address = serve(Router::new().route("/broken", get(broken))).await;
    let foreign = Foreign::sampled();
    let mut stream = open(
        address,
        "GET /broken",
        &[("traceparent", &foreign.traceparent)],
    )
    .await;

    read_head(&mut stream).await;
    gate.notify_one();

    let span = the_span(foreign.trace_id).await;
    assert!(testing::is_error(&span));
    assert_eq!(text(&span, "error.type").as_deref(), Some("response_body"));
    assert_eq!(
        text(&span, "http.response.status_code").as_deref(),
        Some("200")
    );
    assert!(span.events.iter().any(|event| event.name == "exception"));
}

#[tokio::test]
async fn a_caller_that_goes_away_before_the_answer_is_no_error_of_the_server() {
    let started = Arc::new(Notify::new());
    let seen = started.clone();
    let endless = move || {
        let started = seen.clone();
        async move {
            started.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let address = serve(Router::new().route("/endless", get(endless))).await;
    let foreign = Foreign::sampled();
    let stream = open(
        address,
        "GET /endless",
        &[("traceparent", &foreign.traceparent)],
    )
    .await;

    started.notified().await;
    drop(stream);

    let span = the_span(foreign.trace_id).await;
    assert_eq!(span.status, Status::Unset);
    assert_eq!(text(&span, "error.type").as_deref(), Some("cancelled"));
    assert_eq!(text(&span, "http.response.status_code"), None);
}

#[tokio::test]
async fn a_caller_that_goes_away_in_the_body_is_no_error_of_the_server() {
    let endless = || async {
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"first"))]);
        Body::from_stream(first.chain(stream::pending()))
    };
    let address = serve(Router::new().route("/endless", get(endless))).await;
    let foreign = Foreign::sampled();
    let mut stream = open(
        address,
        "GET /endless",
        &[("traceparent", &foreign.traceparent)],
    )
    .await;

    read_head(&mut stream).await;
    drop(stream);

    let span = the_span(foreign.trace_id).await;
    assert_eq!(span.status, Status::Unset);
    assert_eq!(text(&span, "error.type").as_deref(), Some("cancelled"));
}

#[tokio::test]
async fn a_panic_in_a_handler_is_an_error() {
    async fn careless() -> &'static str {
        tokio::task::yield_now().await;
        panic!("careless")
    }
    let address = serve(Router::new().route("/careless", get(careless))).await;
    let foreign = Foreign::sampled();

    let answer = call(
        address,
        "GET /careless",
        &[("traceparent", &foreign.traceparent)],
    )
    .await;

    assert_eq!(answer, "");
    let span = the_span(foreign.trace_id).await;
    assert!(testing::is_error(&span));
    assert_eq!(text(&span, "error.type").as_deref(), Some("panic"));
}

#[tokio::test]
async fn an_answer_without_a_body_is_not_cancelled() {
    let address = serve(Router::new().route("/orders", get(|| async { "a list" }))).await;
    let foreign = Foreign::sampled();

    call(
        address,
        "HEAD /orders",
        &[("traceparent", &foreign.traceparent)],
    )
    .await;

    let span = the_span(foreign.trace_id).await;
    assert_eq!(span.name, "HEAD /orders");
    assert_eq!(span.status, Status::Unset);
    assert_eq!(text(&span, "error.type"), None);
}
