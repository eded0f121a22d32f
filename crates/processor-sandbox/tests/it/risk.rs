use serde_json::json;

use crate::support::{Sandbox, answer};

#[tokio::test]
async fn each_card_has_its_score() {
    let sandbox = Sandbox::start().await;
    for (token, level) in [
        ("tok_visa", "normal"),
        ("tok_chargeDeclined", "normal"),
        ("tok_riskLevelElevated", "elevated"),
        ("tok_fraudulent", "highest"),
    ] {
        let (status, assessment) = answer(sandbox.risk(token, "order_1")).await;
        assert_eq!(status, 200);
        assert_eq!(assessment["level"], level, "{token}");
        assert!((0..=100).contains(&assessment["score"].as_i64().unwrap()));
    }
}

#[tokio::test]
async fn a_flaky_card_fails_once_for_each_order() {
    let sandbox = Sandbox::start().await;
    for order in ["order_1", "order_2"] {
        assert_eq!(answer(sandbox.risk("tok_riskFlaky", order)).await.0, 503);
        assert_eq!(answer(sandbox.risk("tok_riskFlaky", order)).await.0, 200);
        assert_eq!(answer(sandbox.risk("tok_riskFlaky", order)).await.0, 200);
    }
}

#[tokio::test]
async fn risk_can_be_unavailable_by_token() {
    let sandbox = Sandbox::start().await;
    for _ in 0..3 {
        let (status, body) = answer(sandbox.risk("tok_riskUnavailable", "order_1")).await;
        assert_eq!(status, 503);
        assert_eq!(body["error"]["type"], "api_error");
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_refused() {
    let sandbox = Sandbox::start().await;
    for body in [
        json!({}),
        json!({"order_id": "o", "amount": 1, "currency": "eur", "card_token": "tok_unknown"}),
        json!({"order_id": "o", "amount": 1, "currency": "eur", "card_token": "4242424242424242"}),
        json!({"order_id": "o", "amount": 1, "currency": "eur", "card_token": "tok_visa", "card": {"number": "1"}}),
    ] {
        let (status, answer) = answer(
            sandbox
                .request("POST", "/v1/risk")
                .bearer_auth("sk_test_shop")
                .json(&body),
        )
        .await;
        assert_eq!(status, 400, "{body}");
        assert_eq!(answer["error"]["type"], "invalid_request_error");
    }
}
