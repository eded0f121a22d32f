//! The gRPC edges on the wire: tonic on both sides, spans in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod context;
mod failure;
mod notes;
mod streaming;
mod unary;
