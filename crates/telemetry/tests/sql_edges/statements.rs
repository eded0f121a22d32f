//! What the span of a statement says.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use opentelemetry::trace::{SpanKind, Status};
use telemetry::{sqlx::PgPool, testing};

use crate::support::{Database, eventually};

#[tokio::test]
async fn a_statement_bears_what_the_conventions_ask_for() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let sql = "SELECT sku, quantity FROM inventory WHERE quantity > $1 ORDER BY sku";
    let recorded = testing::trace("test", async {
        telemetry::with_tenant("acme", async {
            sqlx::query_as::<_, (String, i64)>(sql)
                .bind(1_i64)
                .fetch_all(&pool)
                .await
        })
        .await
    })
    .await;
    assert_eq!(recorded.result.as_ref().unwrap().len(), 2);
    assert_eq!(recorded.shape(), "test\n  SELECT inventory CLIENT\n");

    let options = database.options();
    for (key, expected) in [
        ("db.system.name", "postgresql"),
        ("db.namespace", &format!("{}|public", database.name)),
        ("db.operation.name", "SELECT"),
        ("db.collection.name", "inventory"),
        ("db.query.summary", "SELECT inventory"),
        ("db.query.text", sql),
        ("db.response.returned_rows", "2"),
        ("server.address", options.get_host()),
        ("server.port", &options.get_port().to_string()),
        ("tenant.id", "acme"),
    ] {
        assert_eq!(
            recorded.attribute("SELECT inventory", key).as_deref(),
            Some(expected),
            "{key}"
        );
    }
    let span = recorded.span("SELECT inventory");
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_eq!(span.status, Status::Unset);
}

#[tokio::test]
async fn the_namespace_names_the_schema_of_the_search_path() {
    let database = Database::create().await;
    let options = database
        .options()
        .options([("search_path", "inventory,public")]);
    let pool = PgPool::connect_with(options, Default::default())
        .await
        .unwrap();
    let recorded = testing::trace("test", sqlx::query("SELECT 1").execute(&pool)).await;
    assert_eq!(
        recorded.attribute("SELECT", "db.namespace"),
        Some(format!("{}|inventory", database.name))
    );
}

#[tokio::test]
async fn every_way_to_run_a_statement_counts_its_rows() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let rows = async |sql: &'static str, how: &str| {
        let recorded = testing::trace("test", async {
            match how {
                "execute" => drop(sqlx::query(sql).execute(&pool).await.unwrap()),
                "fetch_one" => drop(sqlx::query(sql).fetch_one(&pool).await.unwrap()),
                "fetch_optional" => drop(sqlx::query(sql).fetch_optional(&pool).await.unwrap()),
                "fetch_all" => drop(sqlx::query(sql).fetch_all(&pool).await.unwrap()),
                "fetch" => {
                    let rows = sqlx::query(sql).fetch(&pool).try_collect::<Vec<_>>();
                    drop(rows.await.unwrap());
                }
                _ => unreachable!(),
            }
        })
        .await;
        let statement = recorded
            .spans
            .iter()
            .find(|span| span.span_kind == SpanKind::Client)
            .unwrap();
        testing::attribute(statement, "db.response.returned_rows")
            .unwrap()
            .as_str()
            .into_owned()
    };
    let all = "SELECT sku FROM inventory";
    let none = "SELECT sku FROM inventory WHERE sku = 'nothing'";
    assert_eq!(rows(all, "fetch_all").await, "3");
    assert_eq!(rows(all, "fetch").await, "3");
    assert_eq!(rows(all, "fetch_one").await, "1");
    assert_eq!(rows(none, "fetch_optional").await, "0");
    assert_eq!(rows(none, "fetch_all").await, "0");
    assert_eq!(
        rows("UPDATE inventory SET quantity = 7", "execute").await,
        "3"
    );
    assert_eq!(
        rows(
            "UPDATE inventory SET quantity = 8 RETURNING sku",
            "fetch_all"
        )
        .await,
        "3"
    );
    assert_eq!(
        rows("DELETE FROM inventory WHERE sku = 'nothing'", "execute").await,
        "0"
    );
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        let mut rows = sqlx::query("SELECT sku FROM inventory").fetch(&pool);
        assert!(rows.try_next().await.unwrap().is_some());
    })
    .await;
    assert_eq!(recorded.span("SELECT inventory").status, Status::Unset);
}

#[tokio::test]
async fn a_statement_nobody_waits_for_any_more_ends_as_cancelled() {
    let database = Database::create().await;
    let pool = database.pool().await;
    for how in ["execute", "fetch_one", "fetch"] {
        let recorded = testing::trace("test", async {
            let sleep = sqlx::query("SELECT pg_sleep(60)");
            let limit = Duration::from_millis(50);
            let late = match how {
                "execute" => tokio::time::timeout(limit, sleep.execute(&pool))
                    .await
                    .is_err(),
                "fetch_one" => tokio::time::timeout(limit, sleep.fetch_one(&pool))
                    .await
                    .is_err(),
                _ => tokio::time::timeout(limit, sleep.fetch(&pool).try_next())
                    .await
                    .is_err(),
            };
            assert!(late);
        })
        .await;
        assert!(
            recorded
                .shape()
                .contains("  SELECT CLIENT [error: cancelled]\n"),
            "{how}: {}",
            recorded.shape()
        );
    }
}

#[tokio::test]
async fn the_step_after_a_statement_is_not_lost() {
    #[tracing::instrument(name = "afterSql", skip_all)]
    async fn after_sql() {
        tracing::info!("still here");
    }
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        for _ in 0..3 {
            sqlx::query("SELECT sku FROM inventory")
                .fetch_all(&pool)
                .await
                .unwrap();
            after_sql().await;
        }
    })
    .await;
    assert_eq!(recorded.spans_named("afterSql").count(), 3);
    assert_eq!(recorded.spans_named("SELECT inventory").count(), 3);
}

#[tokio::test]
async fn a_business_step_is_the_parent_of_its_statements() {
    #[tracing::instrument(name = "checkInventory", skip_all)]
    async fn check_inventory(pool: &PgPool) {
        sqlx::query("SELECT sku FROM inventory")
            .fetch_all(pool)
            .await
            .unwrap();
    }
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", check_inventory(&pool)).await;
    assert_eq!(
        recorded.shape(),
        "test\n  checkInventory\n    SELECT inventory CLIENT\n"
    );
}

#[tokio::test]
async fn where_telemetry_is_suppressed_there_is_no_span() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        telemetry::untraced(async {
            sqlx::query("SELECT 1").execute(&pool).await.unwrap();
            let mut tx = pool.begin().await.unwrap();
            sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        })
        .await;
    })
    .await;
    assert_eq!(recorded.shape(), "test\n");
}

#[tokio::test]
async fn a_listener_hears_and_makes_no_span() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        let mut listener = pool.listener().await.unwrap();
        listener.listen("outbox").await.unwrap();
        sqlx::query("NOTIFY outbox, 'woken'")
            .execute(&pool)
            .await
            .unwrap();
        listener.recv().await.unwrap().payload().to_owned()
    })
    .await;
    assert_eq!(recorded.result, "woken");
    assert_eq!(recorded.shape(), "test\n  NOTIFY outbox CLIENT\n");
}

#[tokio::test]
async fn a_large_result_streams_through_the_pool_in_order() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        sqlx::query_scalar::<_, i32>("SELECT n FROM generate_series(1, 20000) AS s(n)")
            .fetch(&pool)
            .try_collect::<Vec<_>>()
            .await
    })
    .await;
    assert_eq!(
        recorded.result.as_ref().unwrap(),
        &(1..=20_000).collect::<Vec<_>>()
    );
    assert_eq!(
        recorded
            .attribute("SELECT", "db.response.returned_rows")
            .as_deref(),
        Some("20000")
    );
    // The stream gave its connections back.
    eventually("all connections are idle", async || {
        pool.inner().num_idle() == pool.inner().size() as usize
    })
    .await;
}
