//! Ends the children of a runner that was killed and could not do it itself.
//!
//! A shell reads from a pipe which only this process holds. When the pipe closes without the
//! word `done`, the runner is gone: the shell ends what it was told about and removes the
//! run folder. It is the way that works on every Unix without unsafe code.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use nix::sys::signal::Signal;

const SCRIPT: &str = r#"
trap '' INT TERM HUP
children=''
while read -r word pid signal; do
    case $word in
        start) children="$children $pid:$signal" ;;
        end)
            rest=''
            for child in $children; do
                [ "${child%%:*}" = "$pid" ] || rest="$rest $child"
            done
            children=$rest
            ;;
        done) exit 0 ;;
    esac
done
for child in $children; do
    kill -s "${child#*:}" "${child%%:*}"
done
tries=0
while [ "$tries" -lt 50 ]; do
    alive=''
    for child in $children; do
        kill -s 0 "${child%%:*}" && alive=yes
    done
    [ -z "$alive" ] && break
    sleep 0.1
    tries=$((tries + 1))
done
for child in $children; do
    # Each leads a group of its own.
    kill -s KILL -- "-${child%%:*}"
    kill -s KILL "${child%%:*}"
done
rm -rf -- "$1"
"#;

#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Watchdog {
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "spantree-watchdog"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal is for the runner alone.
            .process_group(0)
            .spawn()
            .context("cannot start /bin/sh, which watches over the processes of this run")?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Self { shell, pipe })
    }

    /// From now on this child ends with the runner, by `signal` first.
    pub(crate) fn child_started(&self, pid: u32, signal: Signal) {
        let name = signal.as_str().trim_start_matches("SIG");
        self.write(&format!("start {pid} {name}\n"));
    }

    /// The child was collected: its number may belong to somebody else from now on.
    pub(crate) fn child_ended(&self, pid: u32) {
        self.write(&format!("end {pid}\n"));
    }

    /// The runner stopped everything itself.
    pub(crate) fn dismiss(&mut self) {
        self.write("done\n");
        self.lock().take();
        let _ = self.shell.wait();
    }

    fn write(&self, line: &str) {
        if let Some(pipe) = self.lock().as_mut() {
            // A watchdog that was killed leaves the next start to clean up.
            let _ = pipe.write_all(line.as_bytes());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ChildStdin>> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::pid::ProcessId;

    fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "not within 20 s: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn children_and_folder_of_a_runner_that_vanished_are_removed() {
        let folder = tempfile::tempdir().unwrap().keep();
        let watchdog = Watchdog::start(&folder).unwrap();
        // The first obeys, the second has to be killed.
        let mut obeys = Command::new("sleep").arg("60").spawn().unwrap();
        let mut refuses = Command::new("sh")
            .args(["-c", "trap '' TERM; echo; while :; do sleep 1; done"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It answers when it has closed its ears.
        let mut answer = [0];
        refuses
            .stdout
            .take()
            .unwrap()
            .read_exact(&mut answer)
            .unwrap();
        let (first, second) = (ProcessId::of(obeys.id()), ProcessId::of(refuses.id()));
        watchdog.child_started(obeys.id(), Signal::SIGTERM);
        watchdog.child_started(refuses.id(), Signal::SIGTERM);

        // What the kernel does when the runner dies: the pipe is closed.
        drop(watchdog.lock().take());

        eventually("the obedient child ends", || !first.is_alive());
        obeys.wait().unwrap();
        eventually("the other child is killed", || !second.is_alive());
        refuses.wait().unwrap();
        eventually("the folder is removed", || !folder.exists());
    }

    #[test]
    fn a_runner_that_stopped_everything_itself_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut watchdog = Watchdog::start(folder.path()).unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        watchdog.child_started(child.id(), Signal::SIGTERM);
        watchdog.dismiss();
        assert!(folder.path().exists());
        assert!(ProcessId::of(child.id()).is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
