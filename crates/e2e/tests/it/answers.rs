//! Every answer of `POST /checkout` and `GET /orders/{id}`, and what it leaves behind.

use e2e::{Answer, Shop, cart, cart_paid_with};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shop::Service;

/// Checks what every problem has, and returns its advice-free core.
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(
        answer.headers["content-type"], "application/problem+json",
        "{answer:?}"
    );
    assert_eq!(answer.body["code"], code, "{answer:?}");
    assert_eq!(answer.body["status"], status, "{answer:?}");
    for field in ["type", "title", "detail", "advice"] {
        assert!(
            answer.body[field]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{field}: {answer:?}"
        );
    }
    let trace_id = answer.trace_id();
    assert_eq!(trace_id.len(), 32, "{answer:?}");
    assert_eq!(answer.headers["x-trace-id"], trace_id, "{answer:?}");
}

#[tokio::test]
async fn an_order_is_placed_and_can_be_found_by_its_tenant_only() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let placed = shop.checkout(&cart()).await?;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let order_id = placed.body["order_id"].as_str().unwrap().to_owned();
    assert_eq!(placed.headers["location"], format!("/orders/{order_id}"));
    assert_eq!(placed.body["status"], "paid");
    assert!(placed.body["total"]["amount_minor"].as_i64().unwrap() > 0);

    let url = shop
        .stack
        .orders_url()
        .join(&format!("/orders/{order_id}"))?;
    let bearer = |tenant| format!("Bearer {}", shop.stack.api_key(tenant));
    let found = shop
        .get(&url, &[("authorization", &bearer("acme"))])
        .await?;
    assert_eq!(found.status, StatusCode::OK);
    assert_eq!(found.body["order_id"], placed.body["order_id"]);
    assert_eq!(found.body["lines"], placed.body["lines"]);
    assert_eq!(found.body["total"], placed.body["total"]);

    assert_problem(
        &shop
            .get(&url, &[("authorization", &bearer("globex"))])
            .await?,
        404,
        "not_found",
    );
    assert_problem(&shop.get(&url, &[]).await?, 401, "unauthorized");
    let nonsense = shop.stack.orders_url().join("/orders/nonsense")?;
    assert_problem(
        &shop
            .get(&nonsense, &[("authorization", &bearer("acme"))])
            .await?,
        404,
        "not_found",
    );
    shop.stop().await
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_and_changes_nothing() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let url = shop.stack.orders_url().join("/checkout")?;
    let bearer = format!("Bearer {}", shop.stack.api_key("acme"));
    let json_type = ("content-type", "application/json");
    let authorized = ("authorization", bearer.as_str());

    for header in [
        None,
        Some("Bearer sk_test_nobody"),
        Some("Basic YWNtZTo="),
        Some("Bearer "),
        Some("sk_test_acme"),
    ] {
        let mut headers = vec![json_type];
        headers.extend(header.map(|value| ("authorization", value)));
        assert_problem(
            &shop.post(&url, &headers, cart().to_string()).await?,
            401,
            "unauthorized",
        );
    }

    let line = |sku: &str, quantity: Value| json!({ "lines": [{ "sku": sku, "quantity": quantity }], "card_token": "tok_visa" });
    let too_many: Vec<Value> = (0..101)
        .map(|n| json!({ "sku": format!("item_{n}"), "quantity": 1 }))
        .collect();
    let unreadable = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        json!({}).to_string(),
        json!({ "lines": [], "card_token": "tok_visa" }).to_string(),
        json!({ "lines": too_many, "card_token": "tok_visa" }).to_string(),
        line("item_42", json!(0)).to_string(),
        line("item_42", json!(-1)).to_string(),
        line("item_42", json!(10_001)).to_string(),
        line("item_42", json!(1.5)).to_string(),
        line("no such name", json!(1)).to_string(),
        line("", json!(1)).to_string(),
        json!({ "lines": [{ "sku": "a", "quantity": 1 }, { "sku": "a", "quantity": 1 }], "card_token": "tok_visa" }).to_string(),
        cart_paid_with("4242424242424242").to_string(),
        cart_paid_with("tok_4242424242424242").to_string(),
        json!({ "lines": [{ "sku": "item_42", "quantity": 1 }], "card_number": "4242424242424242", "card_token": "tok_visa" }).to_string(),
        json!({ "lines": [{ "sku": "item_42", "quantity": 1 }], "card_token": "tok_visa", "user_id": "x".repeat(129) }).to_string(),
    ];
    for body in unreadable {
        let answer = shop
            .post(&url, &[authorized, json_type], body.clone())
            .await?;
        assert_problem(&answer, 400, "invalid_request");
    }

    let plain = shop
        .post(
            &url,
            &[authorized, ("content-type", "text/plain")],
            cart().to_string(),
        )
        .await?;
    assert_problem(&plain, 415, "unsupported_media_type");
    let huge = shop
        .post(&url, &[authorized, json_type], "x".repeat(70_000))
        .await?;
    assert_problem(&huge, 413, "body_too_large");
    let key = shop
        .checkout_as("acme", &cart(), &[("idempotency-key", "has a space")])
        .await?;
    assert_problem(&key, 400, "invalid_request");
    assert_problem(&shop.get(&url, &[]).await?, 405, "method_not_allowed");
    assert_problem(
        &shop
            .get(&shop.stack.orders_url().join("/nowhere")?, &[])
            .await?,
        404,
        "not_found",
    );

    assert_eq!(
        shop.figure("SELECT count(*) FROM orders.checkouts").await?,
        0
    );
    assert_eq!(
        shop.figure("SELECT count(*) FROM inventory.reservations")
            .await?,
        0
    );
    shop.stop().await
}

#[tokio::test]
async fn a_cart_that_cannot_be_bought_is_refused_and_changes_nothing() -> anyhow::Result<()> {
    let shop = Shop::start().await?;

    let unknown = shop
        .checkout(
            &json!({ "lines": [{ "sku": "unheard_of", "quantity": 1 }], "card_token": "tok_visa" }),
        )
        .await?;
    assert_problem(&unknown, 422, "unknown_item");
    assert!(
        unknown.body["detail"]
            .as_str()
            .unwrap()
            .contains("unheard_of")
    );

    // A recount finds one item left, and two are asked for.
    sqlx::raw_sql(
        "UPDATE inventory.inventory
         SET counted_quantity = 1, counted_at = clock_timestamp(), version = version + 1
         WHERE tenant_id = 'acme' AND sku = 'item_42'",
    )
    .execute(&mut shop.database().await?)
    .await?;
    let mut greedy = cart();
    greedy["lines"][0]["quantity"] = 2.into();
    let out_of_stock = shop.checkout(&greedy).await?;
    assert_problem(&out_of_stock, 409, "out_of_stock");
    assert!(
        out_of_stock.body["detail"]
            .as_str()
            .unwrap()
            .contains("item_42")
    );

    assert_eq!(
        shop.figure("SELECT count(*) FROM inventory.reservations")
            .await?,
        0
    );
    assert_eq!(
        shop.figure("SELECT count(*) FROM payment.payments").await?,
        0
    );
    assert_eq!(shop.figure("SELECT count(*) FROM orders.orders").await?, 0);
    shop.stop().await
}

#[tokio::test]
async fn a_declined_card_answers_402_and_releases_the_stock() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    for (token, decline_code) in [
        ("tok_chargeDeclined", "generic_decline"),
        ("tok_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ] {
        let declined = shop.checkout(&cart_paid_with(token)).await?;
        assert_problem(&declined, 402, "card_declined");
        assert_eq!(declined.body["decline_code"], decline_code);
    }
    shop.figure_becomes(
        "SELECT count(*) FROM inventory.reservations WHERE state = 'released'",
        2,
    )
    .await?;
    assert_eq!(
        shop.figure("SELECT count(*) FROM payment.payments WHERE state = 'declined'")
            .await?,
        2
    );
    assert_eq!(shop.figure("SELECT count(*) FROM orders.orders").await?, 0);
    assert_eq!(shop.figure("SELECT count(*) FROM orders.outbox").await?, 0);
    shop.stop().await
}

#[tokio::test]
async fn a_failing_processor_answers_502_and_the_same_key_can_try_again() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    shop.set_processor_faults(json!({ "charge_failure_ratio": 1.0 }))
        .await?;
    let key = [("idempotency-key", "try-again")];
    let failed = shop.checkout_as("acme", &cart(), &key).await?;
    assert_problem(&failed, 502, "payment_failed");
    shop.figure_becomes(
        "SELECT count(*) FROM inventory.reservations WHERE state = 'released'",
        1,
    )
    .await?;

    shop.set_processor_faults(json!({ "charge_failure_ratio": 0.0 }))
        .await?;
    let placed = shop.checkout_as("acme", &cart(), &key).await?;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    assert_eq!(
        shop.figure("SELECT count(*) FROM payment.payments WHERE state = 'captured'")
            .await?,
        1
    );
    shop.stop().await
}

#[tokio::test]
async fn inventory_stopped_answers_503_and_payment_stopped_502() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    shop.stack.stop_service(Service::Inventory).await?;
    let unavailable = shop.checkout(&cart()).await?;
    assert_problem(&unavailable, 503, "inventory_unavailable");
    assert!(
        unavailable.body["detail"]
            .as_str()
            .unwrap()
            .contains("inventory"),
        "{unavailable:?}"
    );
    shop.stack.start_service(Service::Inventory).await?;

    shop.stack.stop_service(Service::Payment).await?;
    assert_problem(&shop.checkout(&cart()).await?, 502, "payment_failed");
    shop.figure_becomes(
        "SELECT count(*) FROM inventory.reservations WHERE state = 'released'",
        1,
    )
    .await?;
    shop.stack.start_service(Service::Payment).await?;

    assert_eq!(shop.checkout(&cart()).await?.status, StatusCode::CREATED);
    shop.stop().await
}

#[tokio::test]
async fn the_deadline_answers_504_and_the_same_key_learns_how_it_ended() -> anyhow::Result<()> {
    let options =
        shop::StackOptions::for_tests()?.with_env(Service::Orders, "ORDERS_DEADLINE", "1s");
    let shop = Shop::start_with(options).await?;
    shop.set_processor_faults(json!({ "latency_ms": 2500 }))
        .await?;
    let key = [("idempotency-key", "slow")];
    let late = shop.checkout_as("acme", &cart(), &key).await?;
    assert_problem(&late, 504, "deadline_exceeded");
    assert_problem(
        &shop.checkout_as("acme", &cart(), &key).await?,
        409,
        "checkout_in_progress",
    );

    shop.figure_becomes("SELECT count(*) FROM orders.orders", 1)
        .await?;
    let placed = shop.checkout_as("acme", &cart(), &key).await?;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    assert_eq!(placed.headers["idempotent-replayed"], "true");
    assert_eq!(
        placed.trace_id(),
        late.trace_id(),
        "the order was made by the first request"
    );
    shop.stop().await
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_refuses_another_body() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let key = [("idempotency-key", "once")];
    let first = shop.checkout_as("acme", &cart(), &key).await?;
    let second = shop.checkout_as("acme", &cart(), &key).await?;
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    assert!(!first.headers.contains_key("idempotent-replayed"));
    assert_eq!(second.headers["idempotent-replayed"], "true");

    let mut other = cart();
    other["lines"][0]["quantity"] = 2.into();
    assert_problem(
        &shop.checkout_as("acme", &other, &key).await?,
        422,
        "idempotency_key_reused",
    );
    let elsewhere = shop.checkout_as("globex", &cart(), &key).await?;
    assert_eq!(
        elsewhere.status,
        StatusCode::CREATED,
        "a key belongs to its tenant"
    );

    let declined_key = [("idempotency-key", "declined")];
    let declined = shop
        .checkout_as("acme", &cart_paid_with("tok_chargeDeclined"), &declined_key)
        .await?;
    let again = shop
        .checkout_as("acme", &cart_paid_with("tok_chargeDeclined"), &declined_key)
        .await?;
    assert_eq!(
        (declined.status.as_u16(), &declined.body),
        (402, &again.body)
    );
    assert_problem(&declined, 402, "card_declined");

    assert_eq!(shop.figure("SELECT count(*) FROM orders.orders").await?, 2);
    shop.stop().await
}

#[tokio::test]
async fn the_api_describes_itself() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let document = shop
        .get(&shop.stack.orders_url().join("/openapi.json")?, &[])
        .await?
        .body;
    assert_eq!(document["openapi"], "3.1.0");
    let answers = document["paths"]["/checkout"]["post"]["responses"]
        .as_object()
        .unwrap();
    for status in [
        "201", "400", "401", "402", "409", "413", "415", "422", "500", "502", "503", "504",
    ] {
        assert!(answers.contains_key(status), "{status}");
    }
    assert!(document["components"]["schemas"]["Problem"].is_object());
    assert!(document["components"]["securitySchemes"]["api_key"].is_object());
    shop.stop().await
}
