//! Waiting for a connection, and what a pool does to its connections.

use std::time::Duration;

use telemetry::{
    sqlx::{PgPool, PoolSettings},
    testing,
};

use crate::support::Database;

fn one_connection(acquire_timeout: Duration) -> PoolSettings {
    PoolSettings {
        max_connections: 1,
        acquire_timeout,
        ..PoolSettings::default()
    }
}

#[tokio::test]
async fn a_real_wait_for_a_connection_is_a_span_before_the_statement() {
    let database = Database::create().await;
    let pool = database
        .pool_with(one_connection(Duration::from_secs(30)))
        .await;
    let held = pool.acquire().await.unwrap();
    let recorded = testing::trace("test", async {
        let statement = async {
            telemetry::with_tenant("acme", sqlx::query("SELECT 1").execute(&pool))
                .await
                .unwrap();
        };
        let release = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            drop(held);
        };
        tokio::join!(statement, release);
    })
    .await;
    assert_eq!(recorded.shape(), "test\n  pool.acquire\n  SELECT CLIENT\n");
    let wait = recorded.span("pool.acquire");
    let waited = wait.end_time.duration_since(wait.start_time).unwrap();
    assert!(waited >= Duration::from_millis(20), "{waited:?}");
    assert_eq!(
        recorded.attribute("pool.acquire", "tenant.id").as_deref(),
        Some("acme")
    );
    assert!(
        recorded
            .attribute("pool.acquire", "db.client.connection.pool.name")
            .is_some()
    );
}

#[tokio::test]
async fn an_exhausted_pool_is_an_error_that_says_so() {
    let database = Database::create().await;
    let pool = database
        .pool_with(one_connection(Duration::from_millis(50)))
        .await;
    let _held = pool.acquire().await.unwrap();
    let recorded = testing::trace("test", sqlx::query("SELECT 1").execute(&pool)).await;
    assert!(matches!(recorded.result, Err(sqlx::Error::PoolTimedOut)));
    assert_eq!(
        recorded.shape(),
        "test\n  pool.acquire [error: pool_timeout]\n"
    );
}

#[tokio::test]
async fn giving_up_the_wait_for_a_connection_is_shown() {
    let database = Database::create().await;
    let pool = database
        .pool_with(one_connection(Duration::from_secs(30)))
        .await;
    let _held = pool.acquire().await.unwrap();
    let recorded = testing::trace("test", async {
        let waiting = pool.begin();
        tokio::time::timeout(Duration::from_millis(30), waiting)
            .await
            .is_err()
    })
    .await;
    assert!(recorded.result);
    assert_eq!(
        recorded.shape(),
        "test\n  pool.acquire [error: cancelled]\n"
    );
}

#[tokio::test]
async fn an_idle_pool_makes_no_wait_span() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        for _ in 0..3 {
            sqlx::query("SELECT 1").execute(&pool).await.unwrap();
            // sqlx takes a connection back in a task of its own.
            while pool.inner().num_idle() < 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    })
    .await;
    assert_eq!(recorded.spans_named("pool.acquire").count(), 0);
}

#[tokio::test]
async fn a_closed_pool_says_so() {
    let database = Database::create().await;
    let pool = database.pool().await;
    pool.close().await;
    let recorded = testing::trace("test", sqlx::query("SELECT 1").execute(&pool)).await;
    assert!(matches!(recorded.result, Err(sqlx::Error::PoolClosed)));
    assert_eq!(
        recorded.shape(),
        "test\n  pool.acquire [error: pool_closed]\n"
    );
}

#[tokio::test]
async fn connections_bear_the_name_of_their_service() {
    let database = Database::create().await;
    let pool = database
        .pool_with(PoolSettings {
            application_name: Some("inventory".to_owned()),
            ..PoolSettings::default()
        })
        .await;
    let name: String = sqlx::query_scalar("SELECT current_setting('application_name')")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(name, "inventory");

    let unnamed = database.pool().await;
    let name: String = sqlx::query_scalar("SELECT current_setting('application_name')")
        .fetch_one(&unnamed)
        .await
        .unwrap();
    assert!(name.starts_with("sql_edges"), "{name}");
}

#[tokio::test]
async fn a_lazy_pool_connects_with_its_first_statement() {
    let database = Database::create().await;
    let pool = PgPool::connect_lazy_with(database.options(), PoolSettings::default());
    assert_eq!(pool.inner().size(), 0);
    sqlx::query("SELECT 1").execute(&pool).await.unwrap();

    let nowhere = PgPool::connect_lazy("not a url", PoolSettings::default());
    assert!(matches!(nowhere, Err(sqlx::Error::Configuration(_))));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test is about such a pool")]
async fn a_pool_made_elsewhere_is_traced_too() {
    let database = Database::create().await;
    let plain = sqlx::postgres::PgPoolOptions::new().connect_lazy_with(database.options());
    let pool = PgPool::from(plain);
    let recorded = testing::trace("test", sqlx::query("SELECT 1").execute(&pool)).await;
    assert_eq!(recorded.spans_named("SELECT").count(), 1);
}
