//! The whole shop: five processes, real servers, and the traces that were stored.
#![expect(clippy::unwrap_used, reason = "what a test cannot go on without")]

mod answers;
mod collector;
mod context;
mod delivery;
mod golden;
mod load;
mod slow_tenant;
mod stop;
