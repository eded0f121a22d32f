use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Sandbox, answer, send};

#[tokio::test]
async fn the_faults_can_be_read_changed_and_reset() {
    let sandbox = Sandbox::start().await;
    let at_start = json!({
        "latency_ms": 0, "risk_latency_ms": 0, "charge_failure_ratio": 0.0, "risk_failure_ratio": 0.0,
        "fail_next": 0, "risk_fail_next": 0,
    });
    let faults = || answer(sandbox.request("GET", "/sandbox/faults"));
    assert_eq!(faults().await, (200, at_start.clone()));
    sandbox
        .put_faults(json!({"latency_ms": 7, "risk_failure_ratio": 0.5}))
        .await;
    sandbox.put_faults(json!({"fail_next": 3})).await;
    let (_, changed) = faults().await;
    assert_eq!(changed["fail_next"], 3);
    assert_eq!(
        changed["latency_ms"], 0,
        "what is left out is as it was at the start"
    );
    assert_eq!(
        answer(sandbox.request("DELETE", "/sandbox/faults")).await,
        (200, at_start.clone())
    );
    assert_eq!(faults().await, (200, at_start));
}

#[tokio::test]
async fn faults_that_make_no_sense_are_refused_with_a_problem() {
    let sandbox = Sandbox::start().await;
    for (faults, named) in [
        (json!({"charge_failure_ratio": 1.5}), "charge_failure_ratio"),
        (json!({"risk_failure_ratio": -0.1}), "risk_failure_ratio"),
        (json!({"latency_ms": 60_001}), "latency_ms"),
        (json!({"risk_latency_ms": 60_001}), "risk_latency_ms"),
        (json!({"fail_next": -1}), "fail_next"),
        (json!({"latency": 5}), "latency"),
    ] {
        let response = send(sandbox.request("PUT", "/sandbox/faults").json(&faults)).await;
        assert_eq!(response.status(), 400, "{faults}");
        assert_eq!(
            response.headers()["Content-Type"],
            "application/problem+json"
        );
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "invalid_request");
        assert!(
            problem["detail"].as_str().unwrap().contains(named),
            "{problem}"
        );
    }
    assert_eq!(answer(sandbox.charge("tok_visa", "key")).await.0, 200);
}

#[tokio::test]
async fn so_many_requests_fail_as_were_ordered() {
    let sandbox = Sandbox::start().await;
    sandbox
        .put_faults(json!({"fail_next": 2, "risk_fail_next": 1}))
        .await;
    assert_eq!(answer(sandbox.charge("tok_visa", "key")).await.0, 500);
    assert_eq!(answer(sandbox.charge("tok_visa", "key")).await.0, 500);
    // What got lost on the way was not decided: the same key is charged now.
    assert_eq!(answer(sandbox.charge("tok_visa", "key")).await.0, 200);
    assert_eq!(answer(sandbox.risk("tok_visa", "order_1")).await.0, 503);
    assert_eq!(answer(sandbox.risk("tok_visa", "order_1")).await.0, 200);
    assert_eq!(sandbox.charges().await.len(), 1);
}

#[tokio::test]
async fn a_ratio_of_one_fails_always() {
    let sandbox = Sandbox::start().await;
    sandbox
        .put_faults(json!({"charge_failure_ratio": 1.0, "risk_failure_ratio": 1.0}))
        .await;
    for n in 0..5 {
        assert_eq!(
            answer(sandbox.charge("tok_visa", &n.to_string())).await.0,
            500
        );
        assert_eq!(answer(sandbox.risk("tok_visa", "order_1")).await.0, 503);
    }
}

#[tokio::test]
async fn the_latency_holds_for_charges_and_can_be_changed() {
    let sandbox = Sandbox::start().await;
    sandbox.put_faults(json!({"latency_ms": 200})).await;
    let started = Instant::now();
    assert_eq!(answer(sandbox.charge("tok_visa", "key")).await.0, 200);
    assert!(
        started.elapsed() >= Duration::from_millis(180),
        "a tenth less than 200 ms at the most"
    );
}
