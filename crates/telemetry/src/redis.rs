//! Redis, traced: one CLIENT span per command or pipeline.
//!
//! [`Redis`] stands where redis-rs's `ConnectionManager` stands, so that `AsyncCommands`,
//! [`redis::cmd`] and [`redis::pipe`] work as they are:
//!
//! ```no_run
//! use redis::AsyncCommands as _;
//! use telemetry::redis::Redis;
//!
//! # async fn example() -> redis::RedisResult<()> {
//! let redis = Redis::connect("redis://127.0.0.1:6379")?;
//!
//! let mut cache = redis.as_cache().for_tenant("acme");
//! let stock: Option<i64> = cache.get(cache.key("inventory:item_42")).await?;
//! // The key is `acme:inventory:item_42`; the span is `GET inventory`, and where nothing was
//! // found it bears the event `cache miss`.
//! # let _ = stock;
//! # Ok(())
//! # }
//! ```
//!
//! # What a span says
//!
//! Names and attributes are those of the semantic conventions for Redis
//! (<https://opentelemetry.io/docs/specs/semconv/db/redis/>). The span is named by
//! `db.query.summary`: the command and the keyspace, which is the key up to its first colon
//! after the tenant's prefix is taken off. `db.query.text` is recorded in development only and
//! holds keys, but `?` for every value. A read says in `db.response.returned_rows` how many of
//! its keys were there.
//!
//! A pipeline is one span, `PIPELINE GET inventory` or `MULTI SET inventory`, with the number of
//! commands in `db.operation.batch.size`.

mod command;
mod connection;
mod reply;
mod span;

pub use connection::{Redis, RedisSettings};
