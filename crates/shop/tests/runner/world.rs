//! A world of its own for the runner as a program: binaries, state file, temporary folder.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The runner with services of our making, in a world of its own.
pub(crate) struct World {
    binaries: tempfile::TempDir,
    pub(crate) temporary: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self {
            binaries: tempfile::tempdir().unwrap(),
            temporary: tempfile::tempdir().unwrap(),
        };
        // The user that Postgres runs as walks through it.
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(world.temporary.path(), open).unwrap();
        for name in ["pricing", "inventory", "payment", "orders", "loadgen"] {
            world.binary(name, "exec sleep 600");
        }
        world
    }

    pub(crate) fn binary(&self, name: &str, script: &str) {
        let path = self.binaries.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        command
            .args(arguments)
            .env("SPANTREE_BIN_DIR", self.binaries.path())
            .env("SPANTREE_STATE_FILE", self.temporary.path().join("up.json"))
            .env("SPANTREE_NO_INSTALL", "1")
            .env("TMPDIR", self.temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Run folders that are still there.
    pub(crate) fn folders(&self) -> Vec<std::path::PathBuf> {
        std::fs::read_dir(self.temporary.path())
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect()
    }

    /// Waits until Postgres and the first service run, and gives all process numbers.
    pub(crate) fn children(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        super::eventually("the servers and the first two services run", || {
            let files = self.folders().into_iter().map(|path| path.join("children"));
            pids = files.flat_map(|file| listed(&file)).collect();
            pids.len() >= 4
        });
        pids
    }
}

fn listed(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split(' ').next()?.parse().ok())
        .collect()
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    send(child.id(), signal);
}

pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).unwrap();
    kill(Pid::from_raw(pid), signal).unwrap();
}
