use std::sync::atomic::{AtomicI64, Ordering};

use crate::support::{TestApp, eventually};

#[tokio::test]
async fn an_item_whose_price_changes_leaves_the_cache() {
    let app = TestApp::spawn().await;
    app.stock("changed", 5).await;
    app.stock("unchanged", 5).await;
    app.availability("sku=changed,unchanged").await.unwrap();
    assert!(app.cached("changed").await.is_some());

    // Inventory may still be on its way to watch: change the price until it is heard.
    let price = AtomicI64::new(1);
    eventually("the item is dropped", || async {
        sqlx::query("UPDATE pricing.prices SET unit_price_minor = $2 WHERE tenant_id = $1 AND sku = 'changed'")
            .bind(&app.tenant)
            .bind(price.fetch_add(1, Ordering::Relaxed))
            .execute(&mut app.db().await)
            .await
            .unwrap();
        app.cached("changed").await.is_none()
    })
    .await;

    assert!(app.cached("unchanged").await.is_some());
    app.stop().await;
}
