//! What is being done, for whoever watches. The command line draws it; tests are silent.

use std::time::Duration;

/// Receives the steps of a start or a stop, one after the other.
pub trait Progress: std::fmt::Debug + Send + Sync {
    /// A step begins, for example `starting Postgres`.
    fn begin(&self, step: &str);
    /// The step that began last is done; `result` says what came of it.
    fn done(&self, result: &str, took: Duration);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _step: &str) {}
    fn done(&self, _result: &str, _took: Duration) {}
}
