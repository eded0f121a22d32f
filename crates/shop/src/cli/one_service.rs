//! `cargo shop stop` and `cargo shop start`: one service of the stack that runs.
#![expect(clippy::print_stdout, reason = "what was done is the output")]

use std::process::ExitCode;

use anyhow::bail;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use shop::control::{self, Request};
use shop::{Service, state};

#[derive(Debug, clap::Args)]
pub(crate) struct ServiceArgument {
    #[arg(
        value_name = "SERVICE",
        value_parser = PossibleValuesParser::new(Service::ALL.map(Service::name))
            .try_map(|name| name.parse::<Service>())
    )]
    pub(crate) service: Service,
}

pub(crate) async fn run(request: Request) -> anyhow::Result<ExitCode> {
    let Some(running) = state::find() else {
        bail!("no stack runs: start one with `cargo shop up` in another terminal");
    };
    println!("{}", control::ask(&running, request).await?);
    Ok(ExitCode::SUCCESS)
}
