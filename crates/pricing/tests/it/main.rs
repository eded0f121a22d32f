//! Pricing on real Postgres and Redis, over real gRPC.
#![expect(clippy::unwrap_used, reason = "what a test cannot go on without")]

mod support;

mod quote;
mod ready;
mod watch;
