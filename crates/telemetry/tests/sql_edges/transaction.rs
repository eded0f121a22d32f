//! Transactions: their statements, and their end.

use telemetry::{
    sqlx::{PgConnection, PgPool},
    testing,
};

use crate::support::Database;

async fn quantity(pool: &PgPool, sku: &'static str) -> i64 {
    sqlx::query_scalar("SELECT quantity FROM inventory WHERE sku = $1")
        .bind(sku)
        .fetch_one(pool.inner())
        .await
        .unwrap()
}

async fn set_quantity(connection: &mut PgConnection, quantity: i64) {
    sqlx::query("UPDATE inventory SET quantity = $1 WHERE sku = 'item_1'")
        .bind(quantity)
        .execute(connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_commit_is_a_span_and_a_begin_is_not() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        let mut tx = pool.begin().await.unwrap();
        let locked: i64 =
            sqlx::query_scalar("SELECT quantity FROM inventory WHERE sku = 'item_1' FOR UPDATE")
                .fetch_one(&mut tx)
                .await
                .unwrap();
        set_quantity(&mut tx, locked + 41).await;
        sqlx::query("INSERT INTO inventory VALUES ('item_4', 4)")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    })
    .await;
    assert_eq!(
        recorded.shape(),
        "test\n  SELECT FOR UPDATE inventory CLIENT\n  UPDATE inventory CLIENT\n  \
         INSERT inventory CLIENT\n  COMMIT CLIENT\n"
    );
    assert_eq!(
        recorded
            .attribute("SELECT FOR UPDATE inventory", "db.operation.name")
            .as_deref(),
        Some("SELECT")
    );
    assert_eq!(
        recorded.attribute("COMMIT", "db.operation.name").as_deref(),
        Some("COMMIT")
    );
    assert_eq!(
        recorded.attribute("COMMIT", "db.response.returned_rows"),
        None
    );
    assert_eq!(quantity(&pool, "item_1").await, 42);
}

#[tokio::test]
async fn a_rollback_is_a_span_and_takes_changes_back() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        let mut tx = pool.begin().await.unwrap();
        set_quantity(&mut tx, 99).await;
        tx.rollback().await.unwrap();
    })
    .await;
    assert_eq!(
        recorded.shape(),
        "test\n  UPDATE inventory CLIENT\n  ROLLBACK CLIENT\n"
    );
    assert_eq!(quantity(&pool, "item_1").await, 1);
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        let mut tx = pool.begin().await.unwrap();
        set_quantity(&mut tx, 99).await;
    })
    .await;
    assert_eq!(recorded.shape(), "test\n  UPDATE inventory CLIENT\n");
    assert_eq!(quantity(&pool, "item_1").await, 1);
}

#[tokio::test]
async fn a_constraint_checked_at_commit_fails_the_commit() {
    let database = Database::create().await;
    let pool = database.pool().await;
    sqlx::raw_sql(
        "CREATE TABLE reservations (
             sku text REFERENCES inventory DEFERRABLE INITIALLY DEFERRED
         )",
    )
    .execute(pool.inner())
    .await
    .unwrap();
    let recorded = testing::trace("test", async {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO reservations VALUES ('nothing')")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await
    })
    .await;
    assert!(recorded.result.is_err());
    assert_eq!(
        recorded.shape(),
        "test\n  INSERT reservations CLIENT\n  COMMIT CLIENT [error: 23503]\n"
    );
}

#[tokio::test]
async fn work_with_pool_and_transaction_can_be_spawned() {
    async fn store(pool: PgPool) -> Result<(), sqlx::Error> {
        let mut tx = pool.begin().await?;
        set_quantity(&mut tx, 7).await;
        let rows: Vec<(String,)> = sqlx::query_as("SELECT sku FROM inventory")
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        assert_eq!(rows.len(), 3);
        sqlx::query_as::<_, (String,)>("SELECT sku FROM inventory")
            .fetch_all(&pool)
            .await?;
        Ok(())
    }
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        telemetry::spawn(store(pool)).await.unwrap().unwrap();
    })
    .await;
    assert_eq!(recorded.spans_named("SELECT inventory").count(), 2);
    assert!(
        recorded.shape().contains("\n  COMMIT CLIENT\n"),
        "{}",
        recorded.shape()
    );
}
