//! Statements that fail.

use opentelemetry::trace::Status;
use telemetry::testing;

use crate::support::Database;

#[tokio::test]
async fn a_refused_statement_bears_its_sqlstate() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        sqlx::query("INSERT INTO inventory VALUES ('item_1', 1)")
            .execute(&pool)
            .await
    })
    .await;
    assert!(recorded.result.is_err());
    assert_eq!(
        recorded.shape(),
        "test\n  INSERT inventory CLIENT [error: 23505]\n"
    );
    for key in ["db.response.status_code", "error.type"] {
        assert_eq!(
            recorded.attribute("INSERT inventory", key).as_deref(),
            Some("23505"),
            "{key}"
        );
    }
    let Status::Error { description } = &recorded.span("INSERT inventory").status else {
        panic!("not an error");
    };
    assert!(description.contains("inventory_pkey"), "{description}");
}

#[tokio::test]
async fn a_statement_that_fails_before_its_first_row_fails_in_every_way_to_run_it() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let sql = "SELECT 1 / (quantity - quantity) FROM inventory";
    let recorded = testing::trace("test", async {
        assert!(sqlx::query(sql).fetch_all(&pool).await.is_err());
        assert!(sqlx::query(sql).fetch_one(&pool).await.is_err());
        assert!(
            sqlx::query_scalar::<_, i64>(sql)
                .fetch_all(&pool)
                .await
                .is_err()
        );
    })
    .await;
    assert_eq!(recorded.spans_named("SELECT inventory").count(), 3);
    for span in recorded.spans_named("SELECT inventory") {
        assert_eq!(
            testing::attribute(span, "error.type").unwrap().as_str(),
            "22012"
        );
        assert!(testing::is_error(span));
    }
}

#[tokio::test]
async fn no_row_where_one_was_expected_is_not_the_databases_failure() {
    let database = Database::create().await;
    let pool = database.pool().await;
    let recorded = testing::trace("test", async {
        sqlx::query("SELECT sku FROM inventory WHERE sku = 'nothing'")
            .fetch_one(&pool)
            .await
    })
    .await;
    assert!(matches!(recorded.result, Err(sqlx::Error::RowNotFound)));
    assert_eq!(recorded.shape(), "test\n  SELECT inventory CLIENT\n");
}
