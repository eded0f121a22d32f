//! The sandbox over HTTP, as its callers see it.

mod charges;
mod faults;
mod replay;
mod risk;
mod support;
