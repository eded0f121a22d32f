//! What `cargo shop demo` shows, as calls of `loadgen`, which knows how to check out and how
//! to draw a trace. It is the same program that people go on with afterwards.

use std::process::{ExitStatus, Stdio};

use anyhow::Context;
use tokio::process::Command;

use crate::state::RunningStack;
use crate::workspace;

/// One thing to see.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    pub heading: &'static str,
    /// Arguments of `loadgen`.
    pub arguments: &'static [&'static str],
}

pub const SCENES: [Scene; 2] = [
    Scene {
        heading: "A checkout of a small tenant, as one tree over four services:",
        arguments: &["checkout", "--tenant", "acme", "--history", "6"],
    },
    Scene {
        heading: "The same checkout of a large tenant. One line is not as usual:",
        arguments: &["checkout", "--tenant", "umbrella", "--history", "6"],
    },
];

/// Plays one scene against a running stack; the output goes where ours goes.
///
/// # Errors
/// If `loadgen` cannot be started.
pub async fn play(scene: &Scene, stack: &RunningStack) -> anyhow::Result<ExitStatus> {
    let program = workspace::binary("loadgen")?;
    Command::new(&program)
        .args(scene.arguments)
        .env("SPANTREE_ORDERS_URL", &stack.orders_url)
        .env("SPANTREE_TEMPO_URL", &stack.tempo_url)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .with_context(|| format!("cannot start {}", program.display()))
}

/// What to do next, for a stack that goes on running or one that was started for the demo.
pub fn what_next(stack_goes_on: bool) -> String {
    let mut commands = vec![
        (
            "cargo run -p loadgen -- checkout --tenant hooli",
            "another checkout and its tree",
        ),
        (
            "cargo run -p loadgen -- trace TRACE_ID --full",
            "every span of a trace",
        ),
        ("cargo shop test", "every test"),
    ];
    if !stack_goes_on {
        commands.insert(0, ("cargo shop up", "the same stack, kept running"));
    }
    let mut text = "\nGo on with:\n".to_owned();
    for (command, what) in commands {
        text.push_str(&format!("  {command:<50}{what}\n"));
    }
    text
}
