//! Private Postgres and Redis: they work, and nothing is left of them.

use std::sync::Arc;

use shop::database::{Database, SCHEMAS};
use shop::postgres::{self, Postgres};
use shop::redis::{self, Lease, Redis};
use shop::run_folder::RunFolder;
use sqlx::Connection;

fn port_of(url: &url::Url) -> u16 {
    url.port().expect("a private server has a port of its own")
}

#[tokio::test]
async fn a_private_postgres_works_and_leaves_nothing() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    let path = folder.path().to_path_buf();
    let server = Postgres::start(&postgres::find().unwrap(), &folder)
        .await
        .unwrap();
    let url = server.url("postgres");
    let pid = server.pid();

    let database = Database::create(&url).await.unwrap();
    let mut connection = database.connect_as("inventory").await.unwrap();
    let schema: String = sqlx::query_scalar("SELECT current_schema()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(schema, "inventory");
    let schemas: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname = ANY($1)")
            .bind(SCHEMAS.map(str::to_owned).to_vec())
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(schemas, 4);

    // The open connection must not hold up the stop.
    server.stop().await;
    drop(connection);
    folder.close().await.unwrap();
    assert!(!super::is_running(pid));
    assert!(shop::ports::is_free(port_of(&url)));
    assert!(!path.exists());
}

#[tokio::test]
async fn a_private_postgres_lets_nobody_in_without_its_password() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    let server = Postgres::start(&postgres::find().unwrap(), &folder)
        .await
        .unwrap();
    let mut url = server.url("postgres");
    assert!(sqlx::PgConnection::connect(url.as_str()).await.is_ok());
    url.set_password(Some("guessed")).unwrap();
    assert!(sqlx::PgConnection::connect(url.as_str()).await.is_err());
    server.stop().await;
    folder.close().await.unwrap();
}

#[tokio::test]
async fn a_database_is_dropped_though_somebody_is_connected() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    let server = Postgres::start(&postgres::find().unwrap(), &folder)
        .await
        .unwrap();
    let admin = server.url("postgres");
    // Several at once, as parallel tests make them.
    let (first, second) = tokio::join!(Database::create(&admin), Database::create(&admin));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.name(), second.name());
    let _connected = first.connect().await.unwrap();
    first.drop_it().await.unwrap();
    assert!(first.connect().await.is_err());
    assert!(second.connect().await.is_ok());
    server.stop().await;
    folder.close().await.unwrap();
}

#[tokio::test]
async fn a_private_redis_works_and_its_databases_are_leased_once() {
    let folder = Arc::new(RunFolder::create(None).unwrap());
    let server = Redis::start(&redis::find().unwrap(), &folder)
        .await
        .unwrap();
    let (url, pid) = (server.url().clone(), server.pid());
    redis::ping(&url).await.unwrap();
    let mut guessed = url.clone();
    guessed.set_password(Some("guessed")).unwrap();
    assert!(redis::ping(&guessed).await.is_err());

    let (first, second) = tokio::join!(Lease::take(&url), Lease::take(&url));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.url(), second.url());
    redis::ping(&first.url()).await.unwrap();
    first.give_back().await.unwrap();
    second.give_back().await.unwrap();

    server.stop().await;
    folder.close().await.unwrap();
    assert!(!super::is_running(pid));
    assert!(shop::ports::is_free(port_of(&url)));
}
