//! tracebox over the wire: real exporters' protocols in, Tempo's API out.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod by_id;
mod ingest;
mod program;
mod robust;
mod search;
mod support;
