//! What every service of the shop does the same way, and nothing of what makes it that service:
//! listen, say that it is ready, answer errors in one shape, drain and stop.

mod background;
mod database;
mod json;
mod problem;
mod ready;
mod serve;
mod sqs;

pub use background::Background;
pub use database::{DatabaseError, connect_database};
pub use json::Json;
pub use problem::{method_not_allowed, not_found, problem};
pub use ready::{Checks, Unready};
pub use serve::{bind, serve};
pub use sqs::{find_queue, sqs_client};

/// Reads a duration such as `80ms`, `5s` or `15m` from a flag or a variable.
///
/// # Errors
/// Says what a duration looks like.
pub fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a duration such as `80ms`, `5s` or `15m`"))
}
