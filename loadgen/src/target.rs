//! Which stack to talk to: named by flags, or the one that `cargo shop up` keeps running.

use clap::Args;

/// Where a running stack can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The edge of the shop.
    pub orders_url: String,
    /// Tempo's API, or tracebox in its place.
    pub tempo_url: String,
}

/// The flags that name a stack.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// Where orders listens [default: the stack of `cargo shop up`, else `http://127.0.0.1:8080`].
    #[arg(long, env = "SPANTREE_ORDERS_URL")]
    pub orders_url: Option<String>,

    /// Where traces are read: Tempo or tracebox [default: the stack of `cargo shop up`, else
    /// `http://127.0.0.1:3200`].
    #[arg(long, env = "SPANTREE_TEMPO_URL")]
    pub tempo_url: Option<String>,
}

impl TargetArgs {
    /// The stack that the flags name; where they name none, the one that runs; where none
    /// runs, the conventional ports.
    #[must_use]
    pub fn resolve(&self) -> Target {
        let running = shop::state::find();
        let choose = |named: &Option<String>, running: Option<&String>, conventional: &str| {
            named
                .clone()
                .or_else(|| running.cloned())
                .unwrap_or_else(|| conventional.to_owned())
        };
        Target {
            orders_url: choose(
                &self.orders_url,
                running.as_ref().map(|stack| &stack.orders_url),
                "http://127.0.0.1:8080",
            ),
            tempo_url: choose(
                &self.tempo_url,
                running.as_ref().map(|stack| &stack.tempo_url),
                "http://127.0.0.1:3200",
            ),
        }
    }
}

/// The API key that the seed gives a tenant.
#[must_use]
pub fn seeded_api_key(tenant: &str) -> String {
    format!("sk_test_{tenant}")
}
