//! The HTTP edges on the wire: real sockets on both sides, spans in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod client;
mod client_failure;
mod context;
mod server;
mod server_end;
mod support;
