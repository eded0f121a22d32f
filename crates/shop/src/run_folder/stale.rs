//! What runs left that were killed together with their watchdog.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use super::{CHILDREN, PREFIX};
use crate::pid::ProcessId;

/// The folder of a runner that no longer lives.
#[derive(Debug)]
pub struct StaleFolder {
    pub path: PathBuf,
    pub runner: u32,
}

impl StaleFolder {
    /// Ends what still runs of it and removes it.
    pub fn clear(&self) {
        let children = self.living_children();
        for (child, signal) in &children {
            child.signal(*signal);
        }
        let deadline = Instant::now() + Duration::from_secs(3);
        while children.iter().any(|(child, _)| child.is_alive()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        for (child, _) in &children {
            child.signal(Signal::SIGKILL);
        }
        let _ = std::fs::remove_dir_all(&self.path);
    }

    /// Numbers of its processes that still run.
    pub fn survivors(&self) -> Vec<u32> {
        self.living_children()
            .iter()
            .map(|(child, _)| child.pid)
            .collect()
    }

    fn living_children(&self) -> Vec<(ProcessId, Signal)> {
        let text = std::fs::read_to_string(self.path.join(CHILDREN)).unwrap_or_default();
        text.lines()
            .filter_map(parse_child)
            .filter(|(child, _)| child.is_alive())
            .collect()
    }
}

fn parse_child(line: &str) -> Option<(ProcessId, Signal)> {
    let mut words = line.split(' ');
    let pid = words.next()?.parse().ok()?;
    let born = words.next()?.to_owned();
    let signal = words.next()?.parse().ok()?;
    // Without its birth, it cannot be told from a stranger with the same number.
    (!born.is_empty()).then_some((ProcessId { pid, born }, signal))
}

/// Folders of this user whose runner is dead.
pub fn stale_folders() -> Vec<StaleFolder> {
    stale_folders_in(&std::env::temp_dir(), 0)
}

/// The same in another folder, and so many levels below it.
fn stale_folders_in(parent: &Path, levels: usize) -> Vec<StaleFolder> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let own = |entry: &std::fs::DirEntry| {
        entry.file_type().is_ok_and(|kind| kind.is_dir())
            && entry
                .metadata()
                .is_ok_and(|metadata| metadata.uid() == geteuid().as_raw())
    };
    let mut stale = Vec::new();
    for entry in entries.flatten().filter(own) {
        match entry.file_name().to_str().and_then(runner_of) {
            Some(runner) if !runner.is_alive() => stale.push(StaleFolder {
                path: entry.path(),
                runner: runner.pid,
            }),
            Some(_) => {}
            None if levels > 0 => stale.extend(stale_folders_in(&entry.path(), levels - 1)),
            None => {}
        }
    }
    stale
}

/// Waits until the watchdogs of runs below `parent` that were just killed have done their
/// work, and does the rest itself after `limit`.
pub async fn settle(parent: &Path, limit: Duration) {
    const LEVELS: usize = 2;
    let deadline = tokio::time::Instant::now() + limit;
    while !stale_folders_in(parent, LEVELS).is_empty() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for stale in stale_folders_in(parent, LEVELS) {
        stale.clear();
    }
}

pub(super) fn runner_of(name: &str) -> Option<ProcessId> {
    let mut parts = name.strip_prefix(PREFIX)?.splitn(3, '-');
    let pid = parts.next()?.parse().ok()?;
    let born = parts.next()?.to_owned();
    parts.next()?;
    Some(ProcessId { pid, born })
}
