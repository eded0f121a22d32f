//! Builds the services with cargo's own progress before anything is started.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, bail};
use shop::stack::Interrupted;
use shop::{progress::Progress, workspace};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::terminal::Terminal;

/// Builds all binaries, unless `SPANTREE_BIN_DIR` says that somebody did.
pub(crate) async fn all(terminal: &Terminal, cancel: &CancellationToken) -> anyhow::Result<()> {
    if std::env::var_os(workspace::BIN_DIR).is_some_and(|folder| !folder.is_empty()) {
        return Ok(());
    }
    let began = Instant::now();
    let cargo = workspace::cargo();
    let mut child = Command::new(&cargo)
        .args(["build", "--workspace", "--bins"])
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        // What a program prints is for its reader; cargo's lines are progress.
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", cargo.display()))?;
    let status = tokio::select! {
        status = child.wait() => status?,
        // Ctrl-C reached cargo as well; it ends by itself.
        () = cancel.cancelled() => {
            if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
                let pid = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
            }
            let _ = child.wait().await;
            return Err(Interrupted.into());
        }
    };
    if !status.success() {
        bail!("`cargo build --workspace --bins` failed ({status}); its messages are above");
    }
    terminal.done("binaries are built", began.elapsed());
    Ok(())
}
