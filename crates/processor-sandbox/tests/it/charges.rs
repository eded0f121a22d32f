use serde_json::json;

use crate::support::{Sandbox, answer, send};

#[tokio::test]
async fn good_cards_are_charged() {
    let sandbox = Sandbox::start().await;
    for (token, brand) in [("tok_visa", "visa"), ("tok_mastercard", "mastercard")] {
        let (status, charge) = answer(sandbox.charge(token, token)).await;
        assert_eq!(status, 200);
        assert!(charge["id"].as_str().unwrap().starts_with("ch_"));
        assert_eq!(charge["object"], "charge");
        assert_eq!(charge["amount"], 1999);
        assert_eq!(charge["amount_captured"], 1999);
        assert_eq!(charge["currency"], "eur");
        assert_eq!(charge["status"], "succeeded");
        assert_eq!(charge["paid"], true);
        assert_eq!(charge["metadata"], json!({"order_id": "order_1"}));
        assert_eq!(charge["payment_method_details"]["card"]["brand"], brand);
    }
    assert_eq!(sandbox.charges().await.len(), 2);
}

#[tokio::test]
async fn a_declined_card_is_answered_with_402_and_the_reason() {
    let sandbox = Sandbox::start().await;
    for (token, code, decline_code) in [
        ("tok_chargeDeclined", "card_declined", "generic_decline"),
        (
            "tok_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
        ),
        (
            "tok_chargeDeclinedExpiredCard",
            "expired_card",
            "expired_card",
        ),
        ("tok_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("tok_fraudulent", "card_declined", "fraudulent"),
    ] {
        let (status, body) = answer(sandbox.charge(token, token)).await;
        assert_eq!(status, 402, "{token}");
        assert_eq!(body["error"]["type"], "card_error");
        assert_eq!(body["error"]["code"], code);
        assert_eq!(body["error"]["decline_code"], decline_code);
        assert!(body["error"]["charge"].as_str().unwrap().starts_with("ch_"));
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    }
    let tried = sandbox.charges().await;
    assert_eq!(tried.len(), 5);
    assert!(
        tried
            .iter()
            .all(|charge| charge["paid"] == false && charge["amount_captured"] == 0)
    );
}

#[tokio::test]
async fn the_processor_can_fail_by_token() {
    let sandbox = Sandbox::start().await;
    let (status, body) = answer(sandbox.charge("tok_processorError", "key")).await;
    assert_eq!(status, 500);
    assert_eq!(body["error"]["type"], "api_error");
    assert!(sandbox.charges().await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_named() {
    let sandbox = Sandbox::start().await;
    let good = [
        ("amount", "1999"),
        ("currency", "eur"),
        ("source", "tok_visa"),
    ];
    for (name, value, code) in [
        ("amount", "0", "parameter_invalid_integer"),
        ("amount", "-5", "parameter_invalid_integer"),
        ("amount", "19.99", "parameter_invalid_integer"),
        ("amount", "100000000", "amount_too_large"),
        ("currency", "xyz", "parameter_invalid"),
        ("source", "tok_unknown", "resource_missing"),
        ("capture_later", "1", "parameter_unknown"),
    ] {
        let mut form = good.to_vec();
        form.retain(|(field, _)| *field != name);
        form.push((name, value));
        let (status, body) = answer(sandbox.charge_form(&form)).await;
        assert_eq!(status, 400, "{name}={value}");
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!(body["error"]["code"], code, "{name}={value}");
        assert_eq!(body["error"]["param"], name);
    }
    for missing in good {
        let form: Vec<_> = good.into_iter().filter(|field| *field != missing).collect();
        let (status, body) = answer(sandbox.charge_form(&form)).await;
        assert_eq!(status, 400);
        assert_eq!(body["error"]["code"], "parameter_missing");
        assert_eq!(body["error"]["param"], missing.0);
    }
    let (status, body) = answer(
        sandbox
            .request("POST", "/v1/charges")
            .bearer_auth("sk_test_shop")
            .json(&json!({"amount": 1999})),
    )
    .await;
    assert_eq!(status, 400);
    assert_eq!(body["error"]["type"], "invalid_request_error");
    assert!(sandbox.charges().await.is_empty());
}

#[tokio::test]
async fn a_card_number_is_refused_wherever_it_stands() {
    let sandbox = Sandbox::start().await;
    for (name, value) in [
        ("card[number]", "4242424242424242"),
        ("source[number]", "not even a number"),
        ("source", "4242 4242 4242 4242"),
        ("description", "5555-5555-5555-4444"),
        ("metadata[note]", "378282246310005"),
    ] {
        let mut form = vec![
            ("amount", "1999"),
            ("currency", "eur"),
            ("source", "tok_visa"),
        ];
        form.retain(|(field, _)| *field != name);
        form.push((name, value));
        let (status, body) = answer(sandbox.charge_form(&form)).await;
        assert_eq!(status, 400, "{name}");
        assert_eq!(body["error"]["code"], "card_data_refused", "{name}");
        assert!(
            !body.to_string().contains(value),
            "the number must not be repeated"
        );
    }
}

#[tokio::test]
async fn only_test_keys_are_let_in() {
    let sandbox = Sandbox::start().await;
    for path in ["/v1/charges", "/v1/risk"] {
        let (status, body) = answer(sandbox.request("POST", path)).await;
        assert_eq!(status, 401);
        assert_eq!(body["error"]["type"], "invalid_request_error");
        for key in ["sk_live_shop", "sk_test_", "pk_test_shop"] {
            assert_eq!(
                answer(sandbox.request("POST", path).bearer_auth(key))
                    .await
                    .0,
                401,
                "{key}"
            );
        }
    }
}

#[tokio::test]
async fn it_says_that_it_runs_and_what_it_does_not_have() {
    let sandbox = Sandbox::start().await;
    assert_eq!(send(sandbox.request("GET", "/health")).await.status(), 200);
    assert_eq!(answer(sandbox.request("GET", "/ready")).await.0, 200);
    let (status, problem) = answer(sandbox.request("GET", "/v1/refunds")).await;
    assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")));
    let (status, problem) = answer(sandbox.request("GET", "/v1/charges")).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (405, Some("method_not_allowed"))
    );
}
