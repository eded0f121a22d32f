//! `tracebox`: starts the store, says where it listens, ends on Ctrl-C or SIGTERM.

use std::io::Write;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracebox::{Config, Tracebox};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();

    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let tracebox = Tracebox::start(config).await?;
    announce(&tracebox).context("cannot write to standard output")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for Ctrl-C")?,
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    tracebox.stop().await;
    Ok(())
}

/// Three lines that a program can read; everything else goes to standard error.
fn announce(tracebox: &tracebox::Running) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "otlp grpc listening on {}", tracebox.otlp_grpc_addr())?;
    writeln!(out, "otlp http listening on {}", tracebox.otlp_http_addr())?;
    writeln!(
        out,
        "query api listening on http://{}",
        tracebox.query_addr()
    )?;
    out.flush()
}
