use tonic::Code;

use crate::support::TestApp;

#[tokio::test]
async fn a_cart_is_quoted_with_prices_and_rules() {
    let mut app = TestApp::spawn().await;
    app.set_price("item_42", 1999).await;
    app.set_price("item_7", 500).await;
    app.add_rule(Some("item_7"), 10, 1000).await;

    let quote = app.quote(&[("item_42", 2), ("item_7", 10)]).await.unwrap();

    assert_eq!(quote.currency, "EUR");
    assert_eq!(
        quote
            .lines
            .iter()
            .map(|line| line.total_minor)
            .collect::<Vec<_>>(),
        [3998, 4500]
    );
    assert_eq!(
        (
            quote.subtotal_minor,
            quote.discount_minor,
            quote.total_minor
        ),
        (8998, 500, 8498)
    );
    app.stop().await;
}

#[tokio::test]
async fn the_second_quote_comes_from_the_cache() {
    let mut app = TestApp::spawn().await;
    app.set_price("item_42", 1999).await;

    let cold = telemetry::testing::trace("cold", app.quote(&[("item_42", 1)])).await;
    let warm = telemetry::testing::trace("warm", app.quote(&[("item_42", 1)])).await;

    let (cold_shape, warm_shape) = (cold.shape(), warm.shape());
    assert_eq!(cold.result.unwrap(), warm.result.unwrap());
    let statements = |tree: &str| tree.matches("SELECT price_lists").count();
    assert_eq!(statements(&cold_shape), 1, "{cold_shape}");
    assert_eq!(statements(&warm_shape), 0, "{warm_shape}");
    assert!(cold_shape.contains("cache miss"), "{cold_shape}");
    app.stop().await;
}

#[tokio::test]
async fn a_cart_of_many_lines_costs_one_round_trip_each_to_redis_and_postgres() {
    let mut app = TestApp::spawn().await;
    let skus: Vec<String> = (0..50).map(|n| format!("item_{n}")).collect();
    for sku in &skus {
        app.set_price(sku, 100).await;
    }
    let cart: Vec<(&str, u32)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();

    let traced = telemetry::testing::trace("many", app.quote(&cart)).await;

    let shape = traced.shape();
    assert_eq!(traced.result.unwrap().total_minor, 5000);
    assert_eq!(shape.matches("SELECT price_lists").count(), 1, "{shape}");
    assert_eq!(shape.matches("MGET price").count(), 1, "{shape}");
    app.stop().await;
}

#[tokio::test]
async fn what_cannot_be_priced_is_refused_and_says_why() {
    let mut app = TestApp::spawn().await;
    app.set_price("item_42", 1999).await;

    let check = |refused: Result<_, tonic::Status>, code: Code, text: &str| {
        let status = refused.map(|_: contracts::pricing::Quote| ()).unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(text), "{status}");
    };
    check(
        app.quote(&[("item_42", 1), ("unheard_of", 1)]).await,
        Code::NotFound,
        "unheard_of has no price",
    );
    check(
        app.quote(&[]).await,
        Code::InvalidArgument,
        "must not be empty",
    );
    check(
        app.quote(&[("item_42", 0)]).await,
        Code::InvalidArgument,
        "quantity of item_42",
    );
    check(
        app.quote(&[("not an item", 1)]).await,
        Code::InvalidArgument,
        "sku must be",
    );
    check(
        app.quote_for("nobody", &[("item_42", 1)]).await,
        Code::NotFound,
        "no price list",
    );
    check(
        app.quote_for("", &[("item_42", 1)]).await,
        Code::InvalidArgument,
        "tenant_id must be",
    );
    app.stop().await;
}
