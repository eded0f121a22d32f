use std::time::Duration;

use contracts::pricing::WatchPricesRequest;

use crate::support::TestApp;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_changed_price_is_told_to_watchers_and_leaves_the_cache() {
    let mut app = TestApp::spawn().await;
    app.set_price("item_42", 1999).await;
    app.quote(&[("item_42", 1)]).await.unwrap();
    let request = WatchPricesRequest {
        tenant_ids: vec![app.tenant.clone()],
    };
    let mut changes = app
        .client
        .clone()
        .watch_prices(request)
        .await
        .unwrap()
        .into_inner();

    // The service may still be on its way to listen: change the price until it is heard.
    let mut price = 2000;
    let change = tokio::time::timeout(SOON, async {
        loop {
            app.set_price("item_42", price).await;
            match tokio::time::timeout(Duration::from_millis(200), changes.message()).await {
                Ok(change) => break change.unwrap().unwrap(),
                Err(_) => price += 1,
            }
        }
    })
    .await
    .unwrap();

    assert_eq!(
        (change.tenant_id, change.sku),
        (app.tenant.clone(), "item_42".to_owned())
    );
    assert_eq!(
        app.quote(&[("item_42", 1)]).await.unwrap().total_minor,
        price
    );
    app.stop().await;
}

#[tokio::test]
async fn a_stop_ends_the_watch_and_is_not_held_up_by_it() {
    let app = TestApp::spawn().await;
    let request = WatchPricesRequest { tenant_ids: vec![] };
    let mut changes = app
        .client
        .clone()
        .watch_prices(request)
        .await
        .unwrap()
        .into_inner();

    tokio::time::timeout(SOON, app.stop()).await.unwrap();

    assert!(changes.message().await.unwrap().is_none());
}
