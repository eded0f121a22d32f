//! PostgreSQL through sqlx, traced: one CLIENT span per statement, and the wait for a
//! connection when there was one.
//!
//! [`PgPool`] and [`Transaction`] stand where sqlx's own stand; the queries and the
//! `query!` macros stay as they are:
//!
//! ```no_run
//! use telemetry::sqlx::{PgPool, PoolSettings};
//!
//! # async fn example() -> Result<(), sqlx::Error> {
//! let pool = PgPool::connect("postgres://shop@localhost/shop", PoolSettings::default()).await?;
//!
//! let row = sqlx::query("SELECT quantity FROM inventory WHERE sku = $1")
//!     .bind("item_42")
//!     .fetch_optional(&pool) // a span named `SELECT inventory`
//!     .await?;
//! # let _ = row;
//!
//! let mut tx = pool.begin().await?;
//! sqlx::query("INSERT INTO reservations (sku) VALUES ($1)")
//!     .bind("item_42")
//!     .execute(&mut *tx) // `INSERT reservations`
//!     .await?;
//! tx.commit().await?; // `COMMIT`
//! # Ok(())
//! # }
//! ```
//!
//! # What a span says
//!
//! Names and attributes are those of the semantic conventions for SQL and PostgreSQL
//! (<https://opentelemetry.io/docs/specs/semconv/db/postgresql/>). The span is named by
//! `db.query.summary`: the operation and its first table, read out of the statement. Where
//! that reads badly, say it yourself: `/* summary: stock of a cart */ SELECT …`.
//! `db.query.text` is recorded in development only, parameters never.
//! `db.response.returned_rows` counts the rows that came back, or those a change touched.
//!
//! A failure bears the SQLSTATE as `db.response.status_code` and `error.type`. The server's
//! message may quote values, so outside of development the span describes the failure by its
//! SQLSTATE and constraint only.
//!
//! # What has no span
//!
//! - `BEGIN`: it comes with every transaction and tells nothing; a failing one is shown.
//!   `COMMIT` and `ROLLBACK` are shown, because waiting for the disk happens there.
//! - The implied rollback of a transaction that is dropped: sqlx sends it with the next use of
//!   the connection.
//! - Waiting less than a millisecond for a connection. A longer wait is an INTERNAL span
//!   `pool.acquire`; all waits are in the histogram `db.client.connection.wait_time`.
//! - Preparing a statement by itself, and whatever goes through [`PgPool::inner`], such as
//!   migrations.

mod connection;
mod database;
mod grammar;
mod lexer;
mod metrics;
mod pool;
mod rows;
mod span;
mod statement;
mod summary;
mod transaction;

pub use connection::PgConnection;
pub use pool::{PgPool, PoolSettings};
pub use transaction::Transaction;
