//! Tracing edges and set-up for Rust services.

pub mod attributes;
mod error;
mod event;
mod guard;
pub mod propagation;
mod retry;
mod spawn;
pub mod testing;

pub mod grpc_client;
pub mod grpc_server;
pub mod http_client;
pub mod http_server;
pub mod redis;
pub mod sqlx;
pub mod sqs;
