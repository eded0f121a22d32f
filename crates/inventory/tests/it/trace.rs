use contracts::ids::OrderId;
use telemetry::testing;

use crate::support::TestApp;

const POOL_WAIT: &str = "pool.acquire";

#[tokio::test]
async fn a_reservation_with_a_cold_cache_reads_as_its_story() {
    let app = TestApp::spawn().await;
    app.stock("item_42", 5).await;
    let order_id = OrderId::generate();

    let recorded = testing::trace("test", app.reserve(order_id, &[("item_42", 2)])).await;

    recorded.result.as_ref().unwrap();
    assert_eq!(
        without_the_inside_of_pricing(&recorded.shape()),
        "test
  POST CLIENT
    POST /reservations SERVER
      checkInventory
        GET inventory CLIENT (cache miss)
        SELECT inventory CLIENT
        SET inventory CLIENT
        pricing.v1.Pricing/QuoteCart CLIENT
          pricing.v1.Pricing/QuoteCart SERVER
        SELECT FOR UPDATE inventory CLIENT
        INSERT reservations CLIENT
        COMMIT CLIENT
"
    );
    let expected = [
        ("order.id", order_id.to_string()),
        ("tenant.id", app.tenant.clone()),
    ];
    for (key, value) in expected {
        assert_eq!(recorded.attribute("checkInventory", key), Some(value));
    }
    assert_eq!(
        testing::attribute(recorded.span("checkInventory"), "inventory.items_available"),
        Some(&5_i64.into())
    );
    assert_eq!(
        recorded.attribute("SELECT inventory", "tenant.id"),
        Some(app.tenant.clone())
    );
    assert_eq!(
        recorded
            .attribute("GET inventory", "db.query.text")
            .as_deref(),
        Some("GET inventory:item_42")
    );
    app.stop().await;
}

#[tokio::test]
async fn a_cart_of_many_lines_makes_the_same_round_trips_as_a_cart_of_one() {
    let app = TestApp::spawn().await;
    let skus: Vec<String> = (0..50).map(|n| format!("item_{n}")).collect();
    for sku in &skus {
        app.stock(sku, 5).await;
    }
    let lines: Vec<(&str, u32)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();

    let recorded = testing::trace("test", app.reserve(OrderId::generate(), &lines)).await;

    recorded.result.as_ref().unwrap();
    assert_eq!(
        inventory_calls(&recorded),
        [
            "MGET inventory",
            "SELECT inventory",
            "PIPELINE SET inventory",
            "pricing.v1.Pricing/QuoteCart",
            "SELECT FOR UPDATE inventory",
            "INSERT reservations",
            "COMMIT"
        ]
    );
    app.stop().await;
}

#[tokio::test]
async fn a_cached_item_is_reserved_without_adding_up_the_ledger() {
    let app = TestApp::spawn().await;
    app.stock("item_42", 5).await;
    app.available("item_42").await;

    let recorded =
        testing::trace("test", app.reserve(OrderId::generate(), &[("item_42", 2)])).await;

    recorded.result.as_ref().unwrap();
    assert!(
        !recorded
            .shape()
            .contains("GET inventory CLIENT (cache miss)"),
        "{}",
        recorded.shape()
    );
    assert_eq!(
        inventory_calls(&recorded),
        [
            "GET inventory",
            "pricing.v1.Pricing/QuoteCart",
            "SELECT FOR UPDATE inventory",
            "INSERT reservations",
            "COMMIT"
        ]
    );
    app.stop().await;
}

#[tokio::test]
async fn an_outdated_item_is_added_up_again_under_the_lock_and_cached_afresh() {
    let app = TestApp::spawn().await;
    app.stock("item_42", 5).await;
    app.available("item_42").await;
    app.move_stock("item_42", -1).await;

    let recorded =
        testing::trace("test", app.reserve(OrderId::generate(), &[("item_42", 2)])).await;

    recorded.result.as_ref().unwrap();
    assert_eq!(
        inventory_calls(&recorded),
        [
            "GET inventory",
            "pricing.v1.Pricing/QuoteCart",
            "SELECT FOR UPDATE inventory",
            "SELECT inventory",
            "INSERT reservations",
            "COMMIT",
            "SET inventory"
        ]
    );
    assert_eq!(
        app.cached("item_42").await.as_deref(),
        Some(r#"{"on_hand":4,"version":1}"#)
    );
    app.stop().await;
}

#[tokio::test]
async fn a_refusal_is_on_the_span_of_the_step_that_refused() {
    let app = TestApp::spawn().await;
    app.stock("item_42", 1).await;

    let recorded =
        testing::trace("test", app.reserve(OrderId::generate(), &[("item_42", 2)])).await;

    recorded.result.as_ref().unwrap_err();
    let step = recorded.span("checkInventory");
    assert!(!testing::is_error(step), "no is an answer");
    assert_eq!(step.events[0].name, "refused");
    assert!(
        step.events[0]
            .attributes
            .iter()
            .any(|attribute| attribute.value.as_str() == "out_of_stock")
    );
    assert!(
        !testing::is_error(recorded.span("POST /reservations")),
        "409 is no failure of the server"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_quote_that_fails_is_tried_again_and_named_as_the_stage() {
    let app = TestApp::spawn_with(&["--pricing-url=http://127.0.0.1:1"]).await;
    app.stock("item_42", 1).await;

    let recorded =
        testing::trace("test", app.reserve(OrderId::generate(), &[("item_42", 1)])).await;

    recorded.result.as_ref().unwrap_err();
    assert_eq!(
        recorded.spans_named("pricing.v1.Pricing/QuoteCart").count(),
        3
    );
    assert_eq!(
        recorded
            .attribute("checkInventory", "error.stage")
            .as_deref(),
        Some("quote")
    );
    assert!(testing::is_error(recorded.span("POST /reservations")));
    app.stop().await;
}

#[tokio::test]
async fn a_row_that_somebody_else_holds_shows_as_a_slow_lock() {
    let app = TestApp::spawn().await;
    app.stock("item_42", 5).await;
    let mut other = app.db().await;
    let held = "BEGIN; SELECT 1 FROM inventory.inventory FOR UPDATE";
    sqlx::raw_sql(held).execute(&mut other).await.unwrap();

    let recorded = testing::trace("test", async {
        let reserve = app.reserve(OrderId::generate(), &[("item_42", 2)]);
        let let_go = telemetry::untraced(async {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                           WHERE $1 <> '' AND wait_event_type = 'Lock' AND datname = current_database()";
            crate::support::eventually("the reservation waits", || async { app.number(waiting).await > 0 }).await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        });
        tokio::join!(reserve, let_go).0
    })
    .await;

    recorded.result.as_ref().unwrap();
    let took = |name: &str| {
        let span = recorded.span(name);
        span.end_time.duration_since(span.start_time).unwrap()
    };
    assert!(took("SELECT FOR UPDATE inventory") >= std::time::Duration::from_millis(200));
    for other in ["GET inventory", "SELECT inventory", "INSERT reservations"] {
        assert!(took("SELECT FOR UPDATE inventory") > took(other), "{other}");
    }
    app.stop().await;
}

/// Pricing tests its own tree, and a busy machine waits for connections.
fn without_the_inside_of_pricing(shape: &str) -> String {
    let inside = |line: &&str| line.starts_with("            ") || line.trim() == POOL_WAIT;
    shape
        .lines()
        .filter(|line| !inside(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What `checkInventory` called, in order.
fn inventory_calls<T>(recorded: &testing::Recorded<T>) -> Vec<String> {
    let story = recorded.span("checkInventory").span_context.span_id();
    recorded
        .spans
        .iter()
        .filter(|span| span.parent_span_id == story && span.name != POOL_WAIT)
        .map(|span| span.name.to_string())
        .collect()
}
