//! The SQL edge on a real PostgreSQL, one database per test.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test by panicking"
)]

mod failure;
mod pool;
mod statements;
mod support;
mod transaction;
