//! Pricing on real Postgres and Redis, over real gRPC.

mod support;

mod quote;
mod ready;
mod watch;
