use contracts::{error_code::ErrorCode, ids::OrderId};

use crate::support::TestApp;

#[tokio::test]
async fn availability_is_what_is_on_hand_and_not_held_in_the_order_of_the_question() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    app.stock("item_2", 9).await;
    app.reserve(OrderId::generate(), &[("item_1", 2)])
        .await
        .unwrap();

    for query in ["sku=item_2&sku=item_1", "sku=item_2,item_1"] {
        let found = app.availability(query).await.unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|item| (item.sku.as_str(), item.available))
            .collect();
        assert_eq!(found, [("item_2", 9), ("item_1", 3)]);
    }
    app.stop().await;
}

#[tokio::test]
async fn availability_of_an_item_that_is_not_stocked_is_a_problem() {
    let app = TestApp::spawn().await;
    let (status, problem) = app.availability("sku=nowhere").await.unwrap_err();
    assert_eq!(
        (status.as_u16(), problem.code),
        (422, ErrorCode::UnknownItem)
    );
    assert_eq!(problem.detail, "nowhere is not an item of this shop");
    app.stop().await;
}
