//! The folder of one run: data of the private servers and logs of all parts. Its name says
//! which process it belongs to, so that a later run can clear what a killed one left.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::pid::ProcessId;
use crate::watchdog::Watchdog;

pub use stale::{StaleFolder, settle, stale_folders};

mod stale;

const PREFIX: &str = "spantree-";
/// Children of the run, one line each, for whoever finds the folder later.
const CHILDREN: &str = "children";
/// For what was still running when the folder is closed.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A temporary folder with a watchdog. [`RunFolder::close`] removes both; a folder that is
/// only dropped is cleared by its watchdog.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    logs: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Until it is closed.
    folder: Option<TempDir>,
    watchdog: Watchdog,
    /// What runs in this moment.
    children: Vec<(ProcessId, Signal)>,
}

impl RunFolder {
    /// Makes a folder for this process and clears those of runs that were killed. Logs go to
    /// `logs` if given, and survive the run there.
    pub fn create(logs: Option<&Path>) -> anyhow::Result<Self> {
        for stale in stale_folders() {
            stale.clear();
        }
        let own = ProcessId::own();
        let parent = std::env::temp_dir();
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-{}-", own.pid, own.born))
            .tempdir_in(&parent)
            .with_context(|| {
                format!(
                    "cannot make a folder in {}: set TMPDIR to a folder you may write to",
                    parent.display()
                )
            })?;
        std::fs::set_permissions(folder.path(), walkable())?;
        let logs = logs.map_or_else(|| folder.path().join("logs"), Path::to_path_buf);
        std::fs::create_dir_all(&logs)
            .with_context(|| format!("cannot make the log folder {}", logs.display()))?;
        let watchdog = Watchdog::start(folder.path())?;
        Ok(Self {
            path: folder.path().to_path_buf(),
            logs,
            inner: Mutex::new(Inner {
                folder: Some(folder),
                watchdog,
                children: Vec::new(),
            }),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a part writes its log.
    pub fn log_path(&self, part: &str) -> PathBuf {
        self.logs.join(format!("{part}.log"))
    }

    /// A new sub-folder that only its owner may read.
    pub fn private_folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path().join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
        Ok(path)
    }

    /// A new sub-folder for what others make temporarily during this run.
    pub fn temporary_folder(&self) -> anyhow::Result<PathBuf> {
        let path = self.private_folder("tmp")?;
        std::fs::set_permissions(&path, walkable())?;
        Ok(path)
    }

    /// A new file that only its owner may read.
    pub fn private_file(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.path().join(name);
        write_private(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    pub(crate) fn child_started(&self, pid: u32, signal: Signal) {
        let child = ProcessId::of(pid);
        let line = format!("{} {} {}\n", child.pid, child.born, signal.as_str());
        let mut inner = self.lock();
        inner.watchdog.child_started(pid, signal);
        inner.children.push((child, signal));
        // The second net, for a watchdog that was killed too: it costs only a later start.
        let _ = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path.join(CHILDREN))
            .and_then(|mut file| file.write_all(line.as_bytes()));
    }

    pub(crate) fn child_ended(&self, pid: u32) {
        let mut inner = self.lock();
        inner.watchdog.child_ended(pid);
        inner.children.retain(|(child, _)| child.pid != pid);
    }

    /// Ends what was left running, removes the folder and dismisses the watchdog.
    pub async fn close(&self) -> anyhow::Result<()> {
        let left = self.lock().children.clone();
        for (child, signal) in &left {
            child.signal(*signal);
        }
        let deadline = tokio::time::Instant::now() + STOP_LIMIT;
        while left.iter().any(|(child, _)| child.is_alive())
            && tokio::time::Instant::now() < deadline
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for (child, _) in &left {
            child.signal(Signal::SIGKILL);
        }
        // A process that ends in this moment may still put a file there.
        while let Err(error) = std::fs::remove_dir_all(&self.path) {
            if error.kind() == std::io::ErrorKind::NotFound {
                break;
            }
            if tokio::time::Instant::now() > deadline {
                return Err(error).with_context(|| {
                    format!("cannot remove {}: remove it by hand", self.path.display())
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut inner = self.lock();
        inner.watchdog.dismiss();
        inner.folder.take();
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For root, Postgres runs as another user and must be able to walk through.
fn walkable() -> std::fs::Permissions {
    let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
    std::fs::Permissions::from_mode(mode)
}

pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::stale::runner_of;
    use super::*;

    #[tokio::test]
    async fn the_name_of_a_folder_tells_its_runner() {
        let folder = RunFolder::create(None).unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(runner_of(name), Some(ProcessId::own()));
        assert!(runner_of("spantree-tests").is_none());
        assert!(runner_of("spantree-1000").is_none());
        let path = folder.path().to_path_buf();
        folder.close().await.unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn the_folder_of_a_dead_runner_is_cleared_with_its_processes() {
        let mut runner = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let dead = ProcessId::of(runner.id());
        runner.kill().unwrap();
        runner.wait().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let id = ProcessId::of(child.id());
        let path = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-{}-", dead.pid, dead.born))
            .tempdir()
            .unwrap()
            .keep();
        std::fs::write(
            path.join(CHILDREN),
            format!("{} {} SIGTERM\n", id.pid, id.born),
        )
        .unwrap();

        let found = stale_folders().into_iter().find(|stale| stale.path == path);
        // Another test that makes a folder may have cleared it already.
        if let Some(stale) = found {
            stale.clear();
        }
        let status = child.wait().unwrap();
        assert!(!status.success());
        assert!(!path.exists() || !id.is_alive());
    }

    #[tokio::test]
    async fn what_was_left_running_ends_when_the_folder_is_closed() {
        let folder = RunFolder::create(None).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        folder.child_started(child.id(), Signal::SIGTERM);
        folder.close().await.unwrap();
        assert!(!ProcessId::of(child.id()).is_alive());
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn secrets_are_readable_by_their_owner_alone() {
        let folder = RunFolder::create(None).unwrap();
        let file = folder.private_file("secret", "s").unwrap();
        let sub = folder.private_folder("sub").unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(sub.metadata().unwrap().mode() & 0o777, 0o700);
        folder.close().await.unwrap();
    }
}
