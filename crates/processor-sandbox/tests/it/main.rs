//! The sandbox over HTTP, as its callers see it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod charges;
mod faults;
mod replay;
mod risk;
mod stop;
mod support;
