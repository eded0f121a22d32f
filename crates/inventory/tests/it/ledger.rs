//! What makes a tenant with a long history slow, and what mends it: rows are counted, not time.

use contracts::ids::OrderId;
use sqlx::{AssertSqlSafe, PgConnection};
use telemetry::testing;

use crate::support::TestApp;

const HISTORY: i64 = 20_000;

#[tokio::test]
async fn a_long_history_costs_all_of_its_rows_until_there_is_an_index_on_time() {
    let app = TestApp::spawn().await;
    for n in 0..10 {
        app.stock(&format!("item_{n}"), 1_000_000).await;
    }
    let mut db = app.db().await;
    seed(&mut db, &app.tenant).await;
    let recorded = testing::trace("test", app.reserve(OrderId::generate(), &[("item_1", 1)])).await;
    recorded.result.as_ref().unwrap();
    let ledger = recorded
        .attribute("SELECT inventory", "db.query.text")
        .unwrap();
    let large =
        async |db: &mut PgConnection, items: usize| visited(db, &ledger, &app.tenant, items).await;

    sqlx::raw_sql("SET search_path = inventory; SET plan_cache_mode = force_custom_plan; SET max_parallel_workers_per_gather = 0")
        .execute(&mut db)
        .await
        .unwrap();
    let small = visited(&mut db, &ledger, "small", 1).await;
    assert!(small <= 200, "{small} rows for a small tenant");
    for items in [1, 3, 10] {
        let rows = large(&mut db, items).await;
        assert!(
            (HISTORY..2 * HISTORY).contains(&rows),
            "{rows} rows for {items} items"
        );
    }

    sqlx::raw_sql(
        "CREATE INDEX ON stock_movements (tenant_id, created_at); ANALYZE stock_movements",
    )
    .execute(&mut db)
    .await
    .unwrap();
    for items in [1, 3, 10] {
        let rows = large(&mut db, items).await;
        assert!(rows <= 200, "{rows} rows for {items} items, with the index");
    }
    app.stop().await;
}

/// A long history of the tenant and a short one of another, mixed as time mixes them, all of it
/// before the last count but for ten movements.
async fn seed(db: &mut PgConnection, tenant: &str) {
    sqlx::query(
        "INSERT INTO inventory.stock_movements (tenant_id, sku, quantity, reason, note, created_at)
         SELECT CASE WHEN n % 200 = 0 THEN 'small' ELSE $1 END, 'item_' || n % 10, 1, 'sale', repeat('n', 100),
                now() - make_interval(secs => ($2 - n) + 60)
         FROM generate_series(1, $2) AS n ORDER BY n",
    )
    .bind(tenant)
    .bind(HISTORY + HISTORY / 100)
    .execute(&mut *db)
    .await
    .unwrap();
    for statement in [
        "INSERT INTO inventory.stock_movements (tenant_id, sku, quantity, reason)
         SELECT $1, 'item_' || n, -1, 'sale' FROM generate_series(0, 9) AS n",
        "INSERT INTO inventory.inventory (tenant_id, sku, counted_quantity)
         SELECT 'small', sku, 5 FROM inventory.inventory WHERE tenant_id = $1",
    ] {
        sqlx::query(statement)
            .bind(tenant)
            .execute(&mut *db)
            .await
            .unwrap();
    }
    sqlx::raw_sql("ANALYZE inventory.stock_movements; ANALYZE inventory.inventory")
        .execute(&mut *db)
        .await
        .unwrap();
}

/// How many movements the ledger query reads for the first items of a tenant.
async fn visited(db: &mut PgConnection, ledger: &str, tenant: &str, items: usize) -> i64 {
    let skus: Vec<String> = (0..items).map(|n| format!("item_{n}")).collect();
    let plan: serde_json::Value = sqlx::query_scalar(AssertSqlSafe(format!(
        "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {ledger}"
    )))
    .bind(tenant)
    .bind(skus)
    .fetch_one(db)
    .await
    .unwrap();
    rows_of_movements(&plan[0]["Plan"])
}

fn rows_of_movements(node: &serde_json::Value) -> i64 {
    let number = |key: &str| node[key].as_f64().unwrap_or(0.0);
    let own = if node["Relation Name"] == "stock_movements" {
        let rows = number("Actual Rows")
            + number("Rows Removed by Filter")
            + number("Rows Removed by Index Recheck");
        (rows * number("Actual Loops")).round() as i64
    } else {
        0
    };
    let below = node["Plans"]
        .as_array()
        .into_iter()
        .flatten()
        .map(rows_of_movements);
    own + below.sum::<i64>()
}
