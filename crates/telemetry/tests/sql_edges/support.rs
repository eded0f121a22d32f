//! A database of its own for each test, gone when the test is.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, postgres::PgConnectOptions};
use telemetry::sqlx::{PgPool, PoolSettings};

/// A database that is dropped with this value.
pub(crate) struct Database {
    pub(crate) name: String,
    options: PgConnectOptions,
}

impl Database {
    /// Creates a database with a table `inventory` of three rows.
    pub(crate) async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "telemetry_{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let options = server();
        execute(&options, format!("CREATE DATABASE {name}")).await;
        let options = options.database(&name);
        execute(
            &options,
            "CREATE TABLE inventory (sku text PRIMARY KEY, quantity bigint NOT NULL);
             INSERT INTO inventory VALUES ('item_1', 1), ('item_2', 2), ('item_3', 3);"
                .to_owned(),
        )
        .await;
        Self { name, options }
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// A pool with room enough that nothing waits.
    pub(crate) async fn pool(&self) -> PgPool {
        self.pool_with(PoolSettings::default()).await
    }

    pub(crate) async fn pool_with(&self, settings: PoolSettings) -> PgPool {
        PgPool::connect_with(self.options(), settings)
            .await
            .unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop_it = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A test may have panicked, and its runtime cannot be waited for from here.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(execute(&server(), drop_it));
        });
        let _ = dropped.join();
    }
}

fn server() -> PgConnectOptions {
    std::env::var("SPANTREE_TEST_POSTGRES")
        .unwrap_or_else(|_| panic!("SPANTREE_TEST_POSTGRES is not set: run `cargo shop test`"))
        .parse()
        .unwrap()
}

async fn execute(options: &PgConnectOptions, sql: String) {
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Waits until `condition` holds; the test fails when it does not within ten seconds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let poll = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), poll)
        .await
        .unwrap_or_else(|_| panic!("never happened: {what}"));
}
