use contracts::{
    error_code::ErrorCode,
    ids::OrderId,
    money::{Currency, Money},
};

use crate::support::{TestApp, to_sku};

#[tokio::test]
async fn a_reservation_holds_all_lines_and_says_what_they_cost() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    app.stock("item_2", 5).await;

    let order_id = OrderId::generate();
    let reservation = app
        .reserve(order_id, &[("item_2", 2), ("item_1", 1)])
        .await
        .unwrap();

    assert_eq!(reservation.order_id, order_id);
    let lines: Vec<_> = reservation
        .lines
        .iter()
        .map(|line| {
            (
                line.sku.as_str(),
                line.quantity,
                line.unit_price_minor,
                line.total_minor,
            )
        })
        .collect();
    assert_eq!(
        lines,
        [("item_2", 2, 1000, 2000), ("item_1", 1, 1000, 1000)]
    );
    assert_eq!(reservation.total, Money::new(3000, Currency::Eur));
    let minutes = (reservation.expires_at - time::OffsetDateTime::now_utc()).whole_minutes();
    assert!((13..=15).contains(&minutes), "{minutes} minutes");
    assert_eq!(
        (app.available("item_1").await, app.available("item_2").await),
        (4, 3)
    );
    app.stop().await;
}

#[tokio::test]
async fn the_same_order_asked_again_gets_the_same_answer_and_holds_nothing_more() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    let order_id = OrderId::generate();

    let first = app.reserve(order_id, &[("item_1", 5)]).await.unwrap();
    app.sql("UPDATE pricing.prices SET unit_price_minor = 7 WHERE tenant_id = $1")
        .await;
    let again = app.reserve(order_id, &[("item_1", 5)]).await.unwrap();

    assert_eq!(first, again);
    assert_eq!(app.available("item_1").await, 0);
    app.stop().await;
}

#[tokio::test]
async fn two_requests_for_one_order_at_the_same_time_hold_it_once() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 100).await;
    let order_id = OrderId::generate();

    let asked = (0..8).map(|_| app.reserve(order_id, &[("item_1", 10)]));
    let answers = futures_util::future::join_all(asked).await;

    let first = answers[0].as_ref().unwrap();
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap() == first),
        "{answers:?}"
    );
    assert_eq!(app.available("item_1").await, 90);
    app.stop().await;
}

#[tokio::test]
async fn out_of_stock_says_which_item_and_changes_nothing() {
    let app = TestApp::spawn().await;
    app.stock("plenty", 100).await;
    app.stock("scarce", 2).await;

    let (status, problem) = app
        .reserve(OrderId::generate(), &[("plenty", 1), ("scarce", 3)])
        .await
        .unwrap_err();

    assert_eq!(
        (status.as_u16(), problem.code),
        (409, ErrorCode::OutOfStock)
    );
    assert_eq!(problem.detail, "scarce: 3 wanted, 2 available");
    assert_eq!(
        (app.available("plenty").await, app.available("scarce").await),
        (100, 2)
    );
    assert_eq!(
        app.number("SELECT count(*) FROM inventory.reservations WHERE tenant_id = $1")
            .await,
        0
    );
    app.stop().await;
}

#[tokio::test]
async fn an_item_that_is_not_stocked_or_has_no_price_is_unknown() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    app.stock("unpriced", 5).await;
    app.sql("DELETE FROM pricing.prices WHERE tenant_id = $1 AND sku = 'unpriced'")
        .await;

    for unknown in ["nowhere", "unpriced"] {
        let (status, problem) = app
            .reserve(OrderId::generate(), &[("item_1", 1), (unknown, 1)])
            .await
            .unwrap_err();
        assert_eq!(
            (status.as_u16(), problem.code),
            (422, ErrorCode::UnknownItem)
        );
        assert!(problem.detail.contains(unknown), "{}", problem.detail);
    }
    assert_eq!(app.available("item_1").await, 5);
    app.stop().await;
}

#[tokio::test]
async fn a_tenant_neither_sees_nor_sells_the_stock_of_another() {
    let mut app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    let order_id = OrderId::generate();
    app.reserve(order_id, &[("item_1", 1)]).await.unwrap();

    let owner = std::mem::replace(&mut app.tenant, "somebody_else".to_owned());
    let (status, _) = app
        .reserve(OrderId::generate(), &[("item_1", 1)])
        .await
        .unwrap_err();
    assert_eq!(status, 422);
    app.release(order_id).await.unwrap();

    app.tenant = owner;
    assert_eq!(app.available("item_1").await, 4);
    app.stop().await;
}

#[tokio::test]
async fn stock_that_moved_since_it_was_cached_is_never_sold_by_the_cached_figure() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    assert_eq!(app.available("item_1").await, 5);
    assert!(app.cached("item_1").await.is_some());

    app.move_stock("item_1", -4).await;
    let (_, problem) = app
        .reserve(OrderId::generate(), &[("item_1", 2)])
        .await
        .unwrap_err();
    assert_eq!(problem.detail, "item_1: 2 wanted, 1 available");

    app.move_stock("item_1", 10).await;
    app.reserve(OrderId::generate(), &[("item_1", 11)])
        .await
        .unwrap();
    assert_eq!(app.available("item_1").await, 0);
    app.stop().await;
}

#[tokio::test]
async fn a_recount_replaces_the_movements_before_it() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    app.move_stock("item_1", 100).await;
    assert_eq!(app.available("item_1").await, 105);

    app.sql(
        "UPDATE inventory.inventory
         SET counted_quantity = 7, counted_at = clock_timestamp(), version = version + 1 WHERE tenant_id = $1",
    )
    .await;
    assert_eq!(app.available("item_1").await, 7);

    app.move_stock("item_1", 1).await;
    assert_eq!(app.available("item_1").await, 8);
    app.stop().await;
}

#[tokio::test]
async fn without_redis_stock_is_reserved_all_the_same() {
    let app = TestApp::spawn_with(&["--redis-url=redis://127.0.0.1:1"]).await;
    app.stock("item_1", 5).await;

    let reservation = app
        .reserve(OrderId::generate(), &[("item_1", 5)])
        .await
        .unwrap();

    assert_eq!(reservation.lines[0].sku, to_sku("item_1"));
    assert_eq!(app.available("item_1").await, 0);
    app.stop().await;
}

#[tokio::test]
async fn without_pricing_inventory_is_unavailable_and_holds_nothing() {
    let app = TestApp::spawn_with(&["--pricing-url=http://127.0.0.1:1"]).await;
    app.stock("item_1", 5).await;

    let (status, problem) = app
        .reserve(OrderId::generate(), &[("item_1", 1)])
        .await
        .unwrap_err();

    assert_eq!(
        (status.as_u16(), problem.code),
        (503, ErrorCode::Unavailable)
    );
    assert_eq!(problem.detail, "pricing does not answer");
    assert_eq!(app.available("item_1").await, 5);
    app.stop().await;
}
