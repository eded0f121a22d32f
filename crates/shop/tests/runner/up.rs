//! `cargo shop up` with the real services: one of them comes and goes, and a crash ends
//! everything.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use nix::sys::signal::Signal;
use shop::state::RunningStack;
use shop::workspace::BIN_DIR;

use super::world::{World, send};
use super::{eventually, is_running};

/// The runner, started as a person starts it.
struct Up {
    world: World,
    runner: Child,
    stack: RunningStack,
}

impl Up {
    fn start() -> Self {
        let world = World::new();
        let said = File::create(world.temporary.path().join("said")).unwrap();
        let runner = Self::command(&world, &["up"]).stderr(said).spawn().unwrap();
        let mut stack = None;
        eventually("the stack is up", || {
            let text = std::fs::read(world.temporary.path().join("up.json"));
            stack = text
                .ok()
                .and_then(|text| serde_json::from_slice(&text).ok());
            stack.is_some()
        });
        Self {
            runner,
            stack: stack.unwrap(),
            world,
        }
    }

    fn command(world: &World, arguments: &[&str]) -> Command {
        let given = |name: &str| {
            std::env::var_os(name)
                .unwrap_or_else(|| panic!("{name} is not set: run `cargo shop test`"))
        };
        let mut command = world.command(arguments);
        command
            .env(BIN_DIR, given(BIN_DIR))
            .env("SPANTREE_POSTGRES", given(shop::stack::TEST_POSTGRES))
            .env("SPANTREE_REDIS", given(shop::stack::TEST_REDIS));
        command
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        Self::command(&self.world, arguments).output().unwrap()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.world.temporary.path().join("said")).unwrap()
    }

    /// The process of a service: the one that runs of those that were started.
    fn pid(&self, service: &str) -> u32 {
        let is_it = |pid: &u32| {
            let listed = Command::new("ps")
                .args(["-o", "args=", "-p", &pid.to_string()])
                .output()
                .unwrap();
            let program = String::from_utf8_lossy(&listed.stdout);
            Path::new(program.trim()).ends_with(service) && is_running(*pid)
        };
        self.world.children().into_iter().find(is_it).unwrap()
    }
}

#[test]
fn a_service_comes_and_goes_and_a_crash_ends_everything() {
    let mut up = Up::start();
    let stopped = "inventory was stopped; the rest goes on (start it again with \
                   `cargo shop start inventory`)";

    send(up.pid("inventory"), Signal::SIGTERM);
    eventually("the stop is told", || up.said().contains(stopped));

    let answer = up.ask(&["start", "inventory"]);
    assert!(answer.status.success(), "{answer:?}");
    let line = String::from_utf8(answer.stdout).unwrap();
    assert!(line.contains(&up.stack.inventory_url), "{line}");
    let answer = up.ask(&["start", "inventory"]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&answer.stderr).contains("runs already"));

    let inventory = up.pid("inventory");
    let answer = up.ask(&["stop", "inventory"]);
    assert!(answer.status.success(), "{answer:?}");
    assert!(String::from_utf8_lossy(&answer.stdout).contains(stopped));
    assert!(!is_running(inventory));
    let answer = up.ask(&["stop", "inventory"]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&answer.stderr).contains("stopped already"));
    assert_eq!(up.said().matches(stopped).count(), 2);
    assert!(up.runner.try_wait().unwrap().is_none());

    let survivors = ["orders", "pricing", "processor-sandbox"].map(|service| up.pid(service));
    send(up.pid("payment"), Signal::SIGKILL);
    assert_eq!(up.runner.wait().unwrap().code(), Some(1));
    let said = up.said();
    assert!(
        said.contains("payment stopped unexpectedly (signal: 9 (SIGKILL)); the last lines"),
        "{said}"
    );
    for pid in survivors {
        assert!(!is_running(pid));
    }
    assert_eq!(up.world.folders(), Vec::<PathBuf>::new());
}
