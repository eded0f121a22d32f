//! Checks out and looks at traces, from the command line.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use loadgen::{checkout::CheckoutArgs, trace::TraceArgs};

/// Puts checkouts on a running stack and looks at the traces they make.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Checkout(CheckoutArgs),
    Trace(TraceArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    run(Cli::parse().command).await.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match command {
        Command::Checkout(checkout) => checkout.run(&mut out).await,
        Command::Trace(trace) => trace.run(&mut out).await.map(|()| ExitCode::SUCCESS),
    }
}
