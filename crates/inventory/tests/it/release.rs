use contracts::ids::OrderId;

use crate::support::TestApp;

#[tokio::test]
async fn a_release_gives_the_stock_back_once_however_often_it_is_asked_for() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    let order_id = OrderId::generate();
    app.reserve(order_id, &[("item_1", 3)]).await.unwrap();
    assert_eq!(app.available("item_1").await, 2);

    for _ in 0..3 {
        app.release(order_id).await.unwrap();
        assert_eq!(app.available("item_1").await, 5);
    }
    app.release(OrderId::generate()).await.unwrap();
    app.stop().await;
}

#[tokio::test]
async fn an_order_whose_reservation_was_released_may_reserve_again() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    let order_id = OrderId::generate();
    app.reserve(order_id, &[("item_1", 3)]).await.unwrap();
    app.release(order_id).await.unwrap();

    app.reserve(order_id, &[("item_1", 4)]).await.unwrap();

    assert_eq!(app.available("item_1").await, 1);
    app.stop().await;
}
