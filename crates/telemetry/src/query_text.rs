//! Whether statements and commands are written onto database spans.
//!
//! The text is parameterised, but parameters are sometimes forgotten; so production
//! and staging leave it out and `db.query.summary` alone names the span.

use std::sync::atomic::{AtomicBool, Ordering};

/// Off until [`init`](crate::init) or the test kit has seen that this is development.
static ENABLED: AtomicBool = AtomicBool::new(false);

/// Whether `db.query.text` may be recorded: in development only.
pub(crate) fn query_text_enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Decides it for this process.
pub(crate) fn enable_query_text(enabled: bool) {
    ENABLED.store(enabled, Ordering::Relaxed);
}
