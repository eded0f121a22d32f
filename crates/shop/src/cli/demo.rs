//! `cargo shop demo`: on the stack that runs, or on one of its own.
#![expect(clippy::print_stdout, reason = "headings belong to the trees")]

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use shop::demo::{self, SCENES};
use shop::stack::Interrupted;
use shop::state::{self, RunningStack};
use shop::{Stack, StackOptions};
use tokio_util::sync::CancellationToken;

use super::interruption::Interruption;
use super::terminal::Terminal;
use super::{StackArguments, build};

pub(crate) async fn run(arguments: StackArguments) -> anyhow::Result<ExitCode> {
    let interruption = Interruption::listen()?;
    let cancel = &interruption.token;
    let terminal = Arc::new(Terminal::default());
    build::all(&terminal, cancel).await?;
    if let Some(running) = state::find() {
        terminal.say(&format!(
            "using the stack that runs as process {}",
            running.pid()
        ));
        play(&running, cancel).await?;
        println!("{}", demo::what_next(true));
        return Ok(ExitCode::SUCCESS);
    }
    arguments.ensure_servers(&terminal)?;
    let stack = Stack::start(StackOptions {
        cancel: cancel.clone(),
        ..arguments.options(&terminal)
    })
    .await?;
    let description = stack.describe();
    let played = tokio::select! {
        played = play(&description, cancel) => played,
        failure = stack.failed() => {
            let context = "everything was stopped, because a part failed";
            Err(anyhow::Error::new(failure).context(context))
        }
    };
    if played.is_ok() {
        println!("{}", demo::what_next(false));
    }
    let stopped = stack.stop().await;
    played?;
    stopped?;
    terminal.say("everything is stopped, nothing is left");
    Ok(ExitCode::SUCCESS)
}

async fn play(stack: &RunningStack, cancel: &CancellationToken) -> anyhow::Result<()> {
    for scene in &SCENES {
        println!("\n{}\n", scene.heading);
        let status = tokio::select! {
            status = demo::play(scene, stack) => status?,
            () = cancel.cancelled() => return Err(Interrupted.into()),
        };
        if !status.success() {
            bail!(
                "`loadgen {}` failed ({status}); its message is above",
                scene.arguments.join(" ")
            );
        }
    }
    Ok(())
}
