use contracts::{error_code::ErrorCode, ids::OrderId};
use futures_util::future::join_all;

use telemetry::testing;

use crate::support::{TestApp, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_who_want_one_of_the_last_ten_exactly_ten_get_it() {
    let app = TestApp::spawn().await;
    app.stock("last", 10).await;

    let answers = join_all((0..30).map(|_| app.reserve(OrderId::generate(), &[("last", 1)]))).await;

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
    for (_, problem) in answers.into_iter().filter_map(Result::err) {
        assert_eq!(problem.code, ErrorCode::OutOfStock);
        assert_eq!(problem.detail, "last: 1 wanted, 0 available");
    }
    assert_eq!(app.available("last").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carts_with_the_same_items_in_opposite_order_do_not_lock_each_other_out() {
    let app = TestApp::spawn().await;
    app.stock("a", 1000).await;
    app.stock("b", 1000).await;

    let answers = join_all((0..40).map(|n| {
        let lines = if n % 2 == 0 {
            [("a", 1), ("b", 1)]
        } else {
            [("b", 1), ("a", 1)]
        };
        let app = &app;
        async move { app.reserve(OrderId::generate(), &lines).await }
    }))
    .await;

    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(
        (app.available("a").await, app.available("b").await),
        (960, 960)
    );
    app.stop().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_while_waiting_for_a_lock_leaves_nothing_behind() {
    let app = TestApp::spawn().await;
    app.stock("item_42", 5).await;
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE $1 <> '' AND wait_event_type = 'Lock' AND datname = current_database()";
    let mut other = app.db().await;
    let hold = "BEGIN; SELECT 1 FROM inventory.inventory FOR UPDATE";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();

    let lines = [("item_42", 2)];
    let recorded = testing::trace("test", async {
        let given_up = telemetry::untraced(eventually("the reservation waits", || async {
            app.number(waiting).await > 0
        }));
        tokio::select! {
            answer = app.reserve(OrderId::generate(), &lines) => panic!("{answer:?}"),
            () = given_up => {}
        }
    })
    .await;
    assert!(
        recorded
            .shape()
            .contains("SELECT FOR UPDATE inventory CLIENT [error: cancelled]"),
        "{}",
        recorded.shape()
    );
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();

    eventually("nobody waits any more", || async {
        app.number(waiting).await == 0
    })
    .await;
    let left = "SELECT count(*) FROM inventory.reservations WHERE tenant_id = $1";
    assert_eq!(app.number(left).await, 0);
    assert_eq!(app.available("item_42").await, 5);
    app.stop().await;
}
