//! Whether a process still lives. A number alone proves nothing, because the system hands
//! numbers out again: a process is its number and the moment it was born.

use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process that can be recognised later, also by another program.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: u32,
    /// When it was born, in the system's own words, letters and digits only.
    pub(crate) born: String,
}

impl ProcessId {
    /// This process.
    pub(crate) fn own() -> Self {
        Self::of(std::process::id())
    }

    pub(crate) fn of(pid: u32) -> Self {
        Self {
            pid,
            born: born(pid).unwrap_or_default(),
        }
    }

    /// Whether exactly this process still runs. One that ended and was not collected by its
    /// parent yet has ended.
    pub(crate) fn is_alive(&self) -> bool {
        if !exists(self.pid) {
            return false;
        }
        match born(self.pid) {
            Some(born) => self.born.is_empty() || born == self.born,
            None => false,
        }
    }

    /// Sends a signal if exactly this process still runs.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.is_alive() {
            send(self.pid, signal);
        }
    }
}

/// Sends a signal to a child that was not collected yet. That it may have ended in this
/// moment is no failure.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = raw(pid) {
        let _ = kill(pid, signal);
    }
}

fn exists(pid: u32) -> bool {
    raw(pid).is_some_and(|pid| !matches!(kill(pid, None), Err(Errno::ESRCH)))
}

/// Never 0 or negative: those address whole groups of processes.
fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 0)
        .map(Pid::from_raw)
}

/// The start time that the kernel keeps; `None` for a process that is gone or only waits to
/// be collected.
fn born(pid: u32) -> Option<String> {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => born_from_stat(&stat),
        Err(_) if std::path::Path::new("/proc/self/stat").exists() => None,
        Err(_) => born_from_ps(pid),
    }
}

/// The name in parentheses may hold spaces and parentheses: fields are counted after the
/// last one.
fn born_from_stat(stat: &str) -> Option<String> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

fn born_from_ps(pid: u32) -> Option<String> {
    let output = Command::new("ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    let text: String = String::from_utf8_lossy(&output.stdout)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_recognised() {
        let own = ProcessId::own();
        assert!(!own.born.is_empty());
        assert!(own.is_alive());
    }

    #[test]
    fn another_process_with_the_same_number_is_not_the_same() {
        let mut own = ProcessId::own();
        own.born = "12345".to_owned();
        assert!(!own.is_alive());
    }

    #[test]
    fn a_child_that_ended_but_was_not_collected_is_not_alive() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let id = ProcessId::of(child.id());
        assert!(id.is_alive());
        child.kill().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while id.is_alive() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(!id.is_alive());
        child.wait().unwrap();
        assert!(!id.is_alive());
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (odd) name) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(born_from_stat(stat).as_deref(), Some("777"));
    }
}
