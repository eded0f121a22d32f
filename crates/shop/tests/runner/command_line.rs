//! `cargo shop` as a person meets it: what it says when a part fails, and that nothing is
//! left, however it ends.

use nix::sys::signal::Signal;

use super::world::{World, signal};

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
fn a_part_that_ends_during_the_start_failed_however_orderly_it_ended() {
    let world = World::new();
    world.binary("processor-sandbox", "exit 0");
    let output = world.command(&["up"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("processor-sandbox stopped unexpectedly (exit status: 0)"),
        "{said}"
    );
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

#[test]
fn a_service_is_stopped_and_started_only_in_a_stack_that_runs() {
    let world = World::new();
    for command in ["stop", "start"] {
        let output = world.command(&[command, "inventory"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(said.contains("`cargo shop up`"), "{said}");

        let output = world.command(&[command, "postgres"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            said.contains("processor-sandbox, pricing, inventory, payment, orders"),
            "{said}"
        );
    }
}
