//! The SQL edge on a real PostgreSQL, one database per test.

mod failure;
mod pool;
mod statements;
mod support;
mod transaction;
