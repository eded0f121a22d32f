//! The runner against real servers and against parts that fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod command_line;
mod one_service;
mod queues;
mod servers;
mod up;
mod world;

use std::time::Duration;

/// For whatever a loaded machine may take its time over.
const LIMIT: Duration = Duration::from_secs(60);

/// Polls until the condition holds.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + LIMIT;
    while !condition() {
        assert!(
            std::time::Instant::now() < deadline,
            "not within {LIMIT:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process runs; one that only waits to be collected does not.
fn is_running(pid: u32) -> bool {
    let listed = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .expect("ps runs");
    let state = String::from_utf8_lossy(&listed.stdout);
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}
