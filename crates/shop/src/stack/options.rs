//! What a stack is made of: servers of its own or given ones, ports, seed, settings.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::ports::Ports;
use crate::progress::{Progress, Silent};
use crate::seed::SeedSize;
use crate::services::Service;
use crate::sqs::Queues;

/// Where tests find servers; `cargo shop test` sets both.
pub const TEST_POSTGRES: &str = "SPANTREE_TEST_POSTGRES";
pub const TEST_REDIS: &str = "SPANTREE_TEST_REDIS";

/// A server of the stack's own, or one that others use too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Server {
    /// Started for this stack, gone with it.
    #[default]
    Private,
    /// The stack takes a database of its own there and leaves the rest alone.
    Shared(Url),
}

/// How to start a stack. The default needs nothing and shares nothing.
#[derive(Debug, Clone)]
pub struct StackOptions {
    pub postgres: Server,
    pub redis: Server,
    pub queues: Queues,
    pub ports: Ports,
    pub seed: SeedSize,
    /// Where services export to, instead of the embedded trace store.
    pub collector: Option<String>,
    /// More variables for a service, over those of the runner.
    pub env: Vec<(Service, String, String)>,
    /// A folder for the logs, which outlives the stack.
    pub logs: Option<PathBuf>,
    pub progress: Arc<dyn Progress>,
    /// Ends a start that is under way.
    pub cancel: CancellationToken,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            postgres: Server::Private,
            redis: Server::Private,
            queues: Queues::Embedded,
            ports: Ports::Free,
            seed: SeedSize::default(),
            collector: None,
            env: Vec::new(),
            logs: None,
            progress: Arc::new(Silent),
            cancel: CancellationToken::new(),
        }
    }
}

impl StackOptions {
    /// A stack on the servers of the test run, with little history.
    ///
    /// # Errors
    /// If the variables that name the servers are missing.
    pub fn for_tests() -> anyhow::Result<Self> {
        Ok(Self {
            postgres: Server::Shared(test_server(TEST_POSTGRES)?),
            redis: Server::Shared(test_server(TEST_REDIS)?),
            seed: SeedSize::small(),
            ..Self::default()
        })
    }

    /// Adds a variable for one service.
    #[must_use]
    pub fn with_env(
        mut self,
        service: Service,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.env.push((service, name.into(), value.into()));
        self
    }

    /// Adds a variable for every service.
    #[must_use]
    pub fn with_env_everywhere(self, name: &str, value: &str) -> Self {
        Service::ALL.into_iter().fold(self, |options, service| {
            options.with_env(service, name, value)
        })
    }
}

fn test_server(variable: &str) -> anyhow::Result<Url> {
    let text = std::env::var(variable)
        .with_context(|| format!("{variable} is not set: run `cargo shop test`"))?;
    Url::parse(&text).with_context(|| format!("{variable} is not an address: `{text}`"))
}

/// The start was cancelled. Everything that had been started is stopped again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}
