//! `cargo shop` as a person meets it: what it says when a part fails, and that nothing is
//! left, however it ends.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The runner with services of our making, in a world of its own.
struct World {
    binaries: tempfile::TempDir,
    temporary: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
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

    fn binary(&self, name: &str, script: &str) {
        let path = self.binaries.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
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
    fn folders(&self) -> Vec<std::path::PathBuf> {
        std::fs::read_dir(self.temporary.path())
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect()
    }

    /// Waits until Postgres and the first service run, and gives all process numbers.
    fn children(&self) -> Vec<u32> {
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

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).unwrap();
    kill(Pid::from_raw(pid), signal).unwrap();
}

#[test]
fn a_part_that_dies_is_named_with_its_last_words_and_everything_is_stopped() {
    let world = World::new();
    world.binary(
        "processor-sandbox",
        "echo 'error: cannot read the list of tokens' >&2; exit 3",
    );
    let output = world.command(&["up"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("processor-sandbox stopped unexpectedly (exit status: 3)"),
        "{said}"
    );
    assert!(said.contains("cannot read the list of tokens"), "{said}");
    assert_eq!(world.folders(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn an_interrupted_start_leaves_nothing() {
    for how in [Signal::SIGINT, Signal::SIGTERM] {
        let world = World::new();
        world.binary("processor-sandbox", "exec sleep 600");
        let runner = world.command(&["up"]).spawn().unwrap();
        let children = world.children();
        signal(&runner, how);
        let output = runner.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(
            said.contains("interrupted; everything was stopped"),
            "{said}"
        );
        for child in children {
            assert!(!super::is_running(child));
        }
        assert_eq!(world.folders(), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn a_runner_that_is_killed_takes_its_parts_with_it() {
    let world = World::new();
    world.binary("processor-sandbox", "exec sleep 600");
    let mut runner = world.command(&["up"]).spawn().unwrap();
    let children = world.children();
    runner.kill().unwrap();
    runner.wait().unwrap();
    super::eventually("the processes end", || {
        children.iter().all(|child| !super::is_running(*child))
    });
    super::eventually("the folder is removed", || world.folders().is_empty());
}

#[test]
fn a_missing_binary_is_named_before_anything_starts() {
    let world = World::new();
    let output = world.command(&["demo"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("the binary `processor-sandbox` is not in"),
        "{said}"
    );
    assert!(said.contains("cargo build --workspace --bins"), "{said}");
    assert_eq!(world.folders(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn the_doctor_says_what_is_missing_and_what_mends_it() {
    let world = World::new();
    let output = world.command(&["doctor"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("PostgreSQL") && said.contains("leftovers"),
        "{said}"
    );

    // No disk to write to: the only thing that can be taken away from a machine safely.
    let output = world
        .command(&["doctor"])
        .env("TMPDIR", world.temporary.path().join("not-there"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("set TMPDIR to a folder you may write to"),
        "{said}"
    );
}
