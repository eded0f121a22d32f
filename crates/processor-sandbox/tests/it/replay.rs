use std::{
    pin::pin,
    time::{Duration, Instant},
};

use crate::support::{Sandbox, answer, config, send};

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer_and_are_charged_once() {
    let sandbox = Sandbox::start().await;
    let first = send(sandbox.charge("tok_visa", "key")).await;
    assert!(!first.headers().contains_key("Idempotent-Replayed"));
    let first = first.text().await.unwrap();
    for _ in 0..3 {
        let again = send(sandbox.charge("tok_visa", "key")).await;
        assert_eq!(again.status(), 200);
        assert_eq!(again.headers()["Idempotent-Replayed"], "true");
        assert_eq!(again.text().await.unwrap(), first);
    }
    assert_eq!(sandbox.charges().await.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_replayed_like_a_success() {
    let sandbox = Sandbox::start().await;
    for (token, status) in [("tok_chargeDeclined", 402), ("tok_processorError", 500)] {
        let first = answer(sandbox.charge(token, token)).await;
        assert_eq!(first.0, status);
        assert_eq!(answer(sandbox.charge(token, token)).await, first);
    }
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let sandbox = Sandbox::start().await;
    assert_eq!(answer(sandbox.charge("tok_visa", "key")).await.0, 200);
    let (status, body) = answer(sandbox.charge("tok_mastercard", "key")).await;
    assert_eq!(status, 400);
    assert_eq!(body["error"]["type"], "idempotency_error");
}

#[tokio::test]
async fn without_a_key_every_request_is_a_charge() {
    let sandbox = Sandbox::start().await;
    let form = [
        ("amount", "1999"),
        ("currency", "eur"),
        ("source", "tok_visa"),
        ("metadata[order_id]", "order_1"),
    ];
    assert_eq!(answer(sandbox.charge_form(&form)).await.0, 200);
    assert_eq!(answer(sandbox.charge_form(&form)).await.0, 200);
    assert_eq!(sandbox.charges().await.len(), 2);
    assert_eq!(
        answer(sandbox.charge("tok_visa", &"k".repeat(256))).await.0,
        400
    );
}

#[tokio::test]
async fn a_key_whose_first_request_is_not_answered_yet_is_in_use() {
    let sandbox = Sandbox::start().await;
    // Whichever comes second is refused while the first one hangs.
    let one = pin!(answer(sandbox.charge("tok_chargeTimeout", "key")));
    let other = pin!(answer(sandbox.charge("tok_chargeTimeout", "key")));
    let (status, body) = tokio::select! { answer = one => answer, answer = other => answer };
    assert_eq!(status, 409);
    assert_eq!(body["error"]["type"], "idempotency_error");
    assert_eq!(body["error"]["code"], "idempotency_key_in_use");
}

#[tokio::test]
async fn a_charge_is_made_though_its_caller_went_away() {
    let sandbox = Sandbox::start_with(processor_sandbox::Config {
        hang: Duration::from_millis(300),
        ..config()
    })
    .await;
    let impatient = sandbox
        .charge("tok_chargeTimeout", "key")
        .timeout(Duration::from_millis(100));
    assert!(impatient.send().await.unwrap_err().is_timeout());

    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match answer(sandbox.charge("tok_chargeTimeout", "key")).await {
            (200, charge) => break assert_eq!(charge["paid"], true),
            (409, _) => assert!(Instant::now() < deadline, "the charge never ended"),
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!(sandbox.charges().await.len(), 1);
}
