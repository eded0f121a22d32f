//! `cargo shop test`: cargo's tests between the start and the stop of their servers.

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use shop::postgres::{self, Postgres};
use shop::progress::Progress;
use shop::redis::{self, Redis};
use shop::run_folder::{self, RunFolder};
use shop::stack::{Interrupted, TEST_POSTGRES, TEST_REDIS};
use shop::{install, workspace};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::interruption::Interruption;
use super::terminal::Terminal;
use super::{InstallArguments, build};

/// Tests that were interrupted stop their own stacks within this time.
const STOP_LIMIT: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(crate) struct TestArguments {
    #[command(flatten)]
    install: InstallArguments,

    /// Arguments for `cargo test`, for example `-- -p orders` or `-- checkout -- --nocapture`.
    #[arg(last = true)]
    cargo: Vec<String>,
}

pub(crate) async fn run(arguments: TestArguments) -> anyhow::Result<ExitCode> {
    let interruption = Interruption::listen()?;
    let cancel = &interruption.token;
    let terminal = Terminal::default();
    build::all(&terminal, cancel).await?;
    let permission = install::Permission::new(arguments.install.no_install);
    install::ensure(permission, &terminal)?;

    let folder = Arc::new(RunFolder::create(None)?);
    let temporary = folder.temporary_folder()?;
    let tested = test_with_servers(&arguments.cargo, &folder, &temporary, &terminal, cancel).await;
    // Stacks of tests that were killed are cleared by their watchdogs in this moment.
    run_folder::settle(&temporary, Duration::from_secs(8)).await;
    let closed = folder.close().await;
    let status = tested?;
    closed?;
    // Without a code, a signal ended it.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

async fn test_with_servers(
    arguments: &[String],
    folder: &Arc<RunFolder>,
    temporary: &Path,
    terminal: &Terminal,
    cancel: &CancellationToken,
) -> anyhow::Result<ExitStatus> {
    let began = Instant::now();
    terminal.begin("starting Postgres and Redis for the tests");
    let servers = async {
        let (postgres, redis) = (postgres::find()?, redis::find()?);
        tokio::try_join!(
            Postgres::start(&postgres, folder),
            Redis::start(&redis, folder)
        )
    };
    let (postgres, redis) = tokio::select! {
        servers = servers => servers?,
        () = cancel.cancelled() => return Err(Interrupted.into()),
    };
    terminal.done("Postgres and Redis for the tests are up", began.elapsed());
    let settings = [
        (TEST_POSTGRES, postgres.url("postgres").to_string().into()),
        (TEST_REDIS, redis.url().to_string().into()),
        (workspace::BIN_DIR, bin_dir()),
        // What a killed test leaves goes with this run.
        ("TMPDIR", temporary.as_os_str().to_owned()),
    ];
    let status = cargo_test(arguments, settings, cancel).await;
    redis.stop().await;
    postgres.stop().await;
    status
}

fn bin_dir() -> OsString {
    std::env::var_os(workspace::BIN_DIR)
        .filter(|folder| !folder.is_empty())
        .unwrap_or_else(|| workspace::target_folder().into_os_string())
}

async fn cargo_test(
    arguments: &[String],
    settings: [(&str, OsString); 4],
    cancel: &CancellationToken,
) -> anyhow::Result<ExitStatus> {
    let cargo = workspace::cargo();
    let mut command = Command::new(&cargo);
    command.arg("test");
    if !names_a_package(arguments) {
        command.arg("--workspace");
    }
    let mut child = command
        .args(arguments)
        .current_dir(workspace::root())
        .envs(settings)
        .stdin(Stdio::null())
        // A group of its own: a signal for this program goes to all test programs at once,
        // and Ctrl-C reaches them through us.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", cargo.display()))?;
    let group = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .map(Pid::from_raw)
        .context("cargo has no process number")?;
    tokio::select! {
        status = child.wait() => return Ok(status?),
        () = cancel.cancelled() => {}
    }
    let _ = killpg(group, Signal::SIGTERM);
    if tokio::time::timeout(STOP_LIMIT, child.wait())
        .await
        .is_err()
    {
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait().await;
    }
    // Test programs that outlived cargo.
    let _ = killpg(group, Signal::SIGKILL);
    Err(Interrupted.into())
}

/// `--workspace` would win over `-p`.
fn names_a_package(arguments: &[String]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| {
            argument.starts_with("-p")
                || argument.starts_with("--package")
                || argument == "--workspace"
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_package_is_tested_alone() {
        let names = |text: &str| {
            let arguments: Vec<_> = text.split(' ').map(str::to_owned).collect();
            names_a_package(&arguments)
        };
        assert!(names("-p orders"));
        assert!(names("--package=orders checkout"));
        assert!(!names("checkout -- -p"));
        assert!(!names("--test e2e"));
    }
}
