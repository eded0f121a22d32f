use contracts::ids::OrderId;

use crate::support::{TestApp, eventually};

#[tokio::test]
async fn stock_that_is_held_too_long_goes_back_by_itself() {
    let app = TestApp::spawn_with(&["--sweep-interval=20ms"]).await;
    app.stock("item_1", 5).await;
    let (stale, fresh) = (OrderId::generate(), OrderId::generate());
    app.reserve(stale, &[("item_1", 3)]).await.unwrap();
    app.sql("UPDATE inventory.reservations SET expires_at = now() WHERE tenant_id = $1")
        .await;
    app.reserve(fresh, &[("item_1", 1)]).await.unwrap();

    eventually("the stale reservation expires", || async {
        app.available("item_1").await == 4
    })
    .await;

    let expired =
        "SELECT count(*) FROM inventory.reservations WHERE tenant_id = $1 AND state = 'expired'";
    assert_eq!(app.number(expired).await, 1);
    let again = app.reserve(stale, &[("item_1", 3)]).await.unwrap();
    assert!(again.expires_at > time::OffsetDateTime::now_utc());
    assert_eq!(app.available("item_1").await, 1);
    app.stop().await;
}

#[tokio::test]
async fn a_reservation_that_is_overdue_but_not_swept_yet_is_taken_up_again() {
    let app = TestApp::spawn_with(&["--sweep-interval=1h"]).await;
    app.stock("item_1", 5).await;
    let order_id = OrderId::generate();
    app.reserve(order_id, &[("item_1", 3)]).await.unwrap();
    app.sql("UPDATE inventory.reservations SET expires_at = now() WHERE tenant_id = $1")
        .await;

    let again = app.reserve(order_id, &[("item_1", 3)]).await.unwrap();

    assert!(again.expires_at > time::OffsetDateTime::now_utc());
    assert_eq!(app.available("item_1").await, 2);
    app.stop().await;
}
