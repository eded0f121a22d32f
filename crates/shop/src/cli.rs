//! The commands of `cargo shop`, and how each of them ends.
#![expect(
    clippy::print_stderr,
    reason = "the last word of a command line program"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shop::control::Request;
use shop::stack::Interrupted;
use url::Url;

mod build;
mod demo;
mod doctor;
mod interruption;
mod one_service;
mod queries;
mod terminal;
mod test;
mod up;

/// Starts the whole shop on this machine, and leaves nothing behind.
#[derive(Debug, Parser)]
#[command(name = "cargo shop", bin_name = "cargo shop", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show one checkout of a small tenant and one of a large tenant, each as a tree.
    Demo(StackArguments),
    /// Start everything and keep it running until Ctrl-C.
    Up(StackArguments),
    /// Stop one service of the stack that `up` keeps running; the rest goes on.
    Stop(one_service::ServiceArgument),
    /// Start a service again that was stopped, where it listened before.
    Start(one_service::ServiceArgument),
    /// Run every test, with the servers they need.
    Test(test::TestArguments),
    /// Say what is missing or in the way on this machine, and what mends it.
    Doctor,
    /// Write `.sqlx/` anew from the migrations, for developers who changed a query.
    Sqlx(queries::QueriesArguments),
}

/// What a stack is made of.
#[derive(Debug, clap::Args)]
pub(crate) struct StackArguments {
    #[command(flatten)]
    install: InstallArguments,

    /// Use this Postgres instead of a private one; a database is made there and dropped.
    #[arg(
        long,
        env = "SPANTREE_POSTGRES",
        hide_env_values = true,
        value_name = "URL"
    )]
    postgres: Option<Url>,

    /// Use this Redis instead of a private one; one of its databases is emptied and used.
    #[arg(
        long,
        env = "SPANTREE_REDIS",
        hide_env_values = true,
        value_name = "URL"
    )]
    redis: Option<Url>,

    /// Send telemetry to this collector (OTLP over gRPC) instead of the embedded trace store.
    #[arg(long, env = "SPANTREE_COLLECTOR", value_name = "URL")]
    collector: Option<String>,

    /// Set a variable for a service, for example `orders:ORDERS_DEADLINE=2s`.
    #[arg(long = "env", value_name = "SERVICE:NAME=VALUE", value_parser = parse_env)]
    env: Vec<(shop::Service, String, String)>,

    /// Keep the logs of all parts in this folder.
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct InstallArguments {
    /// Never install PostgreSQL or Redis; say what to type instead. `SPANTREE_NO_INSTALL` does
    /// the same.
    #[arg(long)]
    no_install: bool,
}

fn parse_env(text: &str) -> Result<(shop::Service, String, String), String> {
    let shape = || format!("`{text}` does not look like SERVICE:NAME=VALUE");
    let (service, setting) = text.split_once(':').ok_or_else(shape)?;
    let (name, value) = setting.split_once('=').ok_or_else(shape)?;
    let service = service.parse().map_err(|error| format!("{error:#}"))?;
    Ok((service, name.to_owned(), value.to_owned()))
}

pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let ended = match arguments.command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Up(arguments) => up::run(arguments).await,
        Command::Stop(argument) => one_service::run(Request::Stop(argument.service)).await,
        Command::Start(argument) => one_service::run(Request::Start(argument.service)).await,
        Command::Test(arguments) => test::run(arguments).await,
        Command::Doctor => doctor::run(),
        Command::Sqlx(arguments) => queries::run(arguments).await,
    };
    match ended {
        Ok(code) => code,
        Err(error) if error.downcast_ref::<Interrupted>().is_some() => {
            eprintln!("interrupted; everything was stopped");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl StackArguments {
    fn options(self, terminal: &std::sync::Arc<terminal::Terminal>) -> shop::StackOptions {
        use shop::stack::Server;
        let server = |url: Option<Url>| url.map_or(Server::Private, Server::Shared);
        shop::StackOptions {
            postgres: server(self.postgres),
            redis: server(self.redis),
            queues: shop::sqs::Queues::by_environment(),
            collector: self.collector,
            env: self.env,
            logs: self.logs,
            progress: terminal.clone(),
            ..shop::StackOptions::default()
        }
    }

    /// Installs what is missing; given servers need not be here.
    fn ensure_servers(&self, terminal: &terminal::Terminal) -> anyhow::Result<()> {
        if self.postgres.is_some() && self.redis.is_some() {
            return Ok(());
        }
        let permission = shop::install::Permission::new(self.install.no_install);
        shop::install::ensure(permission, terminal)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_variable_is_for_one_service() {
        let (service, name, value) = parse_env("orders:ORDERS_DEADLINE=a=b").unwrap();
        assert_eq!(service, shop::Service::Orders);
        assert_eq!((name.as_str(), value.as_str()), ("ORDERS_DEADLINE", "a=b"));
        assert!(
            parse_env("billing:A=b")
                .unwrap_err()
                .contains("no service `billing`")
        );
        assert!(parse_env("orders").is_err());
    }
}
