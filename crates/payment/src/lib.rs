//! Payment: charges the card of an order over gRPC, once, and renders the invoice when the order
//! was placed. It fails when the processor, its fraud check or Postgres does not answer; without
//! SQS the invoices come later.

mod config;
mod grpc;
// The stories.
mod charge;
mod invoice;
// The neighbours, one file each.
mod consumer;
mod processor;
mod store;
// What can go wrong.
mod error;

use std::future::Future;

use axum::Router;
use service::{Background, Checks};
use tokio::net::TcpListener;

pub use config::Config;

/// A built service: it listens, and serves when it is run.
pub struct App {
    listener: TcpListener,
    router: Router,
    background: Background,
}

/// What every request and every message may use.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) db: telemetry::sqlx::PgPool,
    pub(crate) processor: processor::Processor,
    pub(crate) background: Background,
}

impl App {
    /// Connects to what the service needs, brings its schema up to date and binds its address.
    /// SQS is found by the AWS SDK's own variables.
    ///
    /// # Errors
    /// When Postgres cannot be reached, a migration fails or the address is taken.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let sqs = service::sqs_client().await;
        Self::build_with(config, sqs).await
    }

    /// [`build`](Self::build) with a client for SQS that was made elsewhere.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub async fn build_with(config: Config, sqs: aws_sdk_sqs::Client) -> anyhow::Result<Self> {
        let db = service::connect_database(
            config.database_url(),
            &sqlx::migrate!("../../migrations/payment"),
        )
        .await?;
        let background = Background::new();
        let state = State {
            db,
            processor: processor::Processor::new(&config)?,
            background: background.clone(),
        };
        let listener = service::bind(config.listen).await?;
        consumer::start(&state, sqs, config.queue);
        // The processor is somebody else's, and charges need no SQS: only a lost database is a
        // reason to send callers elsewhere.
        let checks = Checks::new().database(state.db.clone());
        Ok(Self {
            listener,
            router: grpc::routes(state).merge(checks.routes()),
            background,
        })
    }

    /// The port that the service listens on.
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
