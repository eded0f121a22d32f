//! The card processor's stand-in: Stripe's charge shape over HTTP, a test token for each
//! outcome, idempotent replay, and a network whose latency and failures can be changed while it
//! runs. A third party: it takes part in no trace.

mod config;
// The processor's API, one file for each resource.
mod charges;
mod risk;
// What stands behind the answers.
mod answer;
mod card_number;
mod ledger;
mod replay;
mod tokens;
// The network in front of it, and the only place that sleeps.
mod faults;
mod network;

use std::{future::Future, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use service::{Background, Checks};
use tokio::net::TcpListener;

pub use config::Config;

/// No request of the processor's API comes near this size.
const BODY_LIMIT: usize = 16 * 1024;

/// A built sandbox: it listens, and serves when it is run.
pub struct App {
    listener: TcpListener,
    router: Router,
    background: Background,
}

/// What every request may use.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) network: Arc<network::Network>,
    pub(crate) replay: Arc<replay::Replay>,
    pub(crate) ledger: Arc<ledger::Ledger>,
    pub(crate) flaky: Arc<risk::FlakyOrders>,
    pub(crate) background: Background,
}

impl App {
    /// Binds the address; the sandbox needs nothing else.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let background = Background::new();
        let state = State {
            network: Arc::new(network::Network::new(&config, background.draining())),
            replay: Arc::default(),
            ledger: Arc::default(),
            flaky: Arc::default(),
            background: background.clone(),
        };
        Ok(Self {
            listener: service::bind(config.listen).await?,
            router: routes(state).merge(Checks::new().routes()),
            background,
        })
    }

    /// The port that the sandbox listens on.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn port(&self) -> std::io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Serves until `stop` completes, then finishes what is in flight.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        service::serve(self.listener, self.router, self.background, stop).await
    }
}

fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/charges", post(charges::create))
        .route("/v1/risk", post(risk::assess))
        .route("/sandbox/charges", get(ledger::list))
        .route(
            "/sandbox/faults",
            get(faults::show).put(faults::replace).delete(faults::reset),
        )
        .fallback(service::not_found)
        .method_not_allowed_fallback(service::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(state)
}
