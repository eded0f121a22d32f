use std::time::Duration;

use contracts::{ids::OrderId, payment::charge_response::Outcome};
use serde_json::json;
use telemetry::testing::{Recorded, attribute, is_error, trace};
use tonic::Code;

use crate::support::{Setup, TestApp, eventually, tree};

/// `http.request.resend_count` of each question about the risk.
fn attempts<T>(recorded: &Recorded<T>) -> Vec<Option<String>> {
    recorded
        .spans_named("POST /v1/risk")
        .map(|span| {
            attribute(span, "http.request.resend_count").map(|count| count.as_str().into_owned())
        })
        .collect()
}

#[tokio::test]
async fn a_fraud_check_that_fails_once_is_asked_again_and_the_trace_shows_it() {
    let app = TestApp::spawn().await;
    let charged = trace("test", app.charge(OrderId::generate(), "tok_riskFlaky")).await;
    assert!(matches!(charged.result, Ok(Outcome::Captured(_))));
    assert_eq!(attempts(&charged), [None, Some("1".to_owned())]);
    let failed = charged.spans_named("POST /v1/risk").next().unwrap();
    assert!(is_error(failed), "the attempt that failed stays visible");
    for step in ["processPayment", "fraud.check"] {
        assert!(!is_error(charged.span(step)), "{}", charged.shape());
    }
    app.stop().await;
}

#[tokio::test]
async fn a_fraud_check_that_gives_up_fails_the_payment_before_the_charge() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();
    app.sandbox
        .put_faults(json!({"risk_failure_ratio": 1.0}))
        .await;

    let failed = trace("test", app.charge(order, "tok_visa")).await;

    let status = failed.result.as_ref().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the fraud check does not answer");
    assert_eq!(
        attempts(&failed),
        [None, Some("1".to_owned()), Some("2".to_owned())]
    );
    for step in ["processPayment", "fraud.check"] {
        assert!(is_error(failed.span(step)), "{}", failed.shape());
        assert_eq!(
            failed.attribute(step, "error.stage").as_deref(),
            Some("fraud_check")
        );
        assert_eq!(
            failed.attribute(step, "error.type").as_deref(),
            Some("payment_failed")
        );
    }
    assert!(
        !tree(&failed).contains("stripe.ChargeCreate"),
        "{}",
        failed.shape()
    );
    assert!(app.payments(order).await.is_empty());

    // Nothing was decided: the same order can be charged when the check is back.
    app.sandbox.put_faults(json!({})).await;
    assert!(matches!(
        app.charge(order, "tok_visa").await,
        Ok(Outcome::Captured(_))
    ));
    app.stop().await;
}

#[tokio::test]
async fn a_processor_that_fails_is_a_failure_at_the_charge_and_not_asked_twice() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();
    app.sandbox.put_faults(json!({"fail_next": 1})).await;

    let failed = trace("test", app.charge(order, "tok_visa")).await;

    let status = failed.result.as_ref().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the card processor failed");
    assert_eq!(failed.spans_named("POST /v1/charges").count(), 1);
    for step in ["processPayment", "stripe.ChargeCreate"] {
        assert_eq!(
            failed.attribute(step, "error.stage").as_deref(),
            Some("charge")
        );
    }
    assert!(!is_error(failed.span("fraud.check")));
    assert!(app.payments(order).await.is_empty());

    assert!(matches!(
        app.charge(order, "tok_visa").await,
        Ok(Outcome::Captured(_))
    ));
    assert_eq!(app.sandbox.charges(order).await.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn a_charge_nobody_waited_for_is_found_and_not_made_twice() {
    let mut app = TestApp::spawn_with(Setup {
        charge_timeout: "200ms",
        hang: Duration::from_millis(600),
        ..Setup::default()
    })
    .await;
    let order = OrderId::generate();

    let failed = trace("test", app.charge(order, "tok_chargeTimeout")).await;
    assert_eq!(
        failed.result.as_ref().unwrap_err().code(),
        Code::Unavailable
    );
    assert_eq!(
        failed.attribute("processPayment", "error.stage").as_deref(),
        Some("charge")
    );
    assert_eq!(
        failed
            .attribute("POST /v1/charges", "error.type")
            .as_deref(),
        Some("timeout")
    );
    assert!(app.payments(order).await.is_empty());

    let outcome = eventually("the charge", async || {
        app.charge(order, "tok_chargeTimeout").await.ok()
    })
    .await;
    assert!(matches!(outcome, Outcome::Captured(_)));
    assert_eq!(app.sandbox.charges(order).await.len(), 1);
    assert_eq!(app.payments(order).await, [("captured".to_owned(), 1999)]);
    app.stop().await;
}

#[tokio::test]
async fn a_processor_that_is_away_fails_the_payment() {
    // Bound and dropped: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let app = TestApp::spawn_with(Setup {
        processor: Some(nobody),
        ..Setup::default()
    })
    .await;
    let failed = trace("test", app.charge(OrderId::generate(), "tok_visa")).await;
    assert_eq!(
        failed.result.as_ref().unwrap_err().code(),
        Code::Unavailable
    );
    assert_eq!(attempts(&failed).len(), 3);
    assert_eq!(
        failed.attribute("processPayment", "error.stage").as_deref(),
        Some("fraud_check")
    );
    app.stop().await;
}

#[tokio::test]
async fn a_lost_database_fails_the_payment_before_anything_is_charged() {
    let app = TestApp::spawn().await;
    let order = OrderId::generate();
    app.database.drop_it().await.unwrap();
    let failed = trace("test", app.charge(order, "tok_visa")).await;
    let status = failed.result.as_ref().unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "payments could not be read")
    );
    assert_eq!(
        failed.attribute("processPayment", "error.stage").as_deref(),
        Some("find_payment")
    );
    assert!(app.sandbox.charges(order).await.is_empty());
    app.stop().await;
}

#[tokio::test]
async fn a_payment_that_cannot_be_stored_is_a_failure_and_charged_once_when_asked_again() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();
    let forbid =
        "ALTER TABLE payment.payments ADD CONSTRAINT closed CHECK (amount_minor < 0) NOT VALID";
    sqlx::query(forbid).execute(&mut app.db).await.unwrap();
    let failed = trace("test", app.charge(order, "tok_visa")).await;
    let status = failed.result.as_ref().unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the payment could not be stored")
    );
    assert_eq!(
        failed.attribute("processPayment", "error.stage").as_deref(),
        Some("store_payment")
    );
    assert!(is_error(failed.span("INSERT payments")));

    sqlx::query("ALTER TABLE payment.payments DROP CONSTRAINT closed")
        .execute(&mut app.db)
        .await
        .unwrap();
    assert!(matches!(
        app.charge(order, "tok_visa").await,
        Ok(Outcome::Captured(_))
    ));
    assert_eq!(app.sandbox.charges(order).await.len(), 1);
    app.stop().await;
}
