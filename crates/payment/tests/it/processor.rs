//! What the processor gets to see, looked at from its side.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    routing::post,
};
use contracts::{ids::OrderId, payment::charge_response::Outcome};
use serde_json::{Value, json};
use telemetry::testing::{attribute, trace};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Mutex, Notify},
};

use crate::support::{Setup, TestApp, eventually};

/// A processor that says yes, and remembers what it was asked.
#[derive(Clone, Default)]
struct Witness {
    seen: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
    charge_came: Arc<Notify>,
    /// Charges wait for it when `slow`.
    go_on: Arc<Notify>,
    slow: bool,
}

impl Witness {
    async fn start(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/v1/risk", post(answer))
            .route("/v1/charges", post(answer))
            .with_state(self.clone());
        telemetry::spawn_detached(async move { axum::serve(listener, router).await });
        address
    }
}

async fn answer(
    State(witness): State<Witness>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Json<Value> {
    witness
        .seen
        .lock()
        .await
        .push((uri.path().to_owned(), headers, body));
    if uri.path() == "/v1/risk" {
        return Json(json!({"score": 1, "level": "normal"}));
    }
    witness.charge_came.notify_one();
    if witness.slow {
        witness.go_on.notified().await;
    }
    Json(json!({"id": "ch_1", "object": "charge", "status": "succeeded"}))
}

async fn spawn(witness: &Witness) -> TestApp {
    let processor = Some(witness.start().await);
    TestApp::spawn_with(Setup {
        processor,
        ..Setup::default()
    })
    .await
}

#[tokio::test]
async fn the_processor_gets_what_it_needs_and_no_trace_of_ours() {
    let witness = Witness::default();
    let app = spawn(&witness).await;
    let order = OrderId::generate();

    let charged = trace(
        "test",
        telemetry::with_tenant("acme", app.charge(order, "tok_visa")),
    )
    .await;
    assert!(matches!(charged.result, Ok(Outcome::Captured(_))));

    let seen = witness.seen.lock().await;
    let paths: Vec<&str> = seen.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(paths, ["/v1/risk", "/v1/charges"]);
    for (path, headers, _) in seen.iter() {
        assert_eq!(headers["authorization"], "Bearer sk_test_shop", "{path}");
        for ours in ["traceparent", "tracestate", "baggage", "x-tenant-id"] {
            assert!(!headers.contains_key(ours), "{ours} went to {path}");
        }
    }
    let (_, _, risk) = &seen[0];
    assert_eq!(
        serde_json::from_slice::<Value>(risk).unwrap(),
        json!({"order_id": order.to_string(), "amount": 1999, "currency": "eur", "card_token": "tok_visa"})
    );
    let (_, headers, form) = &seen[1];
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(headers["idempotency-key"], format!("acme:{order}"));
    assert_eq!(
        std::str::from_utf8(form).unwrap(),
        format!("amount=1999&currency=eur&source=tok_visa&metadata%5Border_id%5D={order}")
    );
    drop(seen);
    app.stop().await;
}

#[tokio::test]
async fn neither_the_card_token_nor_the_key_gets_into_a_span() {
    let app = TestApp::spawn().await;
    for token in [
        "tok_visa",
        "tok_chargeDeclined",
        "tok_processorError",
        "tok_riskUnavailable",
        "tok_of_nobody",
    ] {
        let charged = trace("test", app.charge(OrderId::generate(), token)).await;
        let text = format!("{:?}", charged.spans);
        assert!(text.contains("processPayment"));
        for secret in ["tok_", "sk_test"] {
            assert!(
                !text.contains(secret),
                "{secret} is in the trace of {token}"
            );
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_keep_the_charge_out_of_the_books() {
    let witness = Witness {
        slow: true,
        ..Witness::default()
    };
    let mut app = spawn(&witness).await;
    let order = OrderId::generate();

    tokio::select! {
        charged = app.charge(order, "tok_visa") => panic!("answered early: {charged:?}"),
        () = witness.charge_came.notified() => {}
    }
    witness.go_on.notify_one();

    let payments = eventually("the payment", async || {
        let payments = app.payments(order).await;
        (!payments.is_empty()).then_some(payments)
    })
    .await;
    assert_eq!(payments, [("captured".to_owned(), 1999)]);
    app.stop().await;
}

#[tokio::test]
async fn a_charge_that_was_never_sent_is_sent_again_once() {
    // It answers about the risk, and is gone before the charge.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let processor = Some(listener.local_addr().unwrap());
    telemetry::spawn_detached(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        drop(listener);
        let mut request = [0; 4096];
        let _ = connection.read(&mut request).await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 28\r\n\r\n{\"score\":1,\"level\":\"normal\"}";
        connection.write_all(answer.as_bytes()).await.unwrap();
    });
    let app = TestApp::spawn_with(Setup {
        processor,
        ..Setup::default()
    })
    .await;

    let failed = trace("test", app.charge(OrderId::generate(), "tok_visa")).await;

    assert_eq!(
        failed.result.as_ref().unwrap_err().code(),
        tonic::Code::Unavailable
    );
    assert_eq!(
        failed.attribute("processPayment", "error.stage").as_deref(),
        Some("charge")
    );
    let resent: Vec<_> = failed
        .spans_named("POST /v1/charges")
        .map(|span| attribute(span, "http.request.resend_count").is_some())
        .collect();
    assert_eq!(resent, [false, true]);
    app.stop().await;
}
