//! Inventory: holds stock for orders over HTTP, and turns what was held into stock movements
//! when an order was placed. A lost Redis makes it slower; a reservation needs Postgres and
//! pricing.

mod config;
mod http;
// The stories.
mod availability;
mod commit;
mod expire;
mod release;
mod reserve;
mod stock;
// The neighbours, one file each.
mod cache;
mod consumer;
mod pricing;
mod store;
mod watch;
// What can go wrong.
mod error;

use std::{future::Future, time::Duration};

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
    pub(crate) redis: telemetry::redis::Redis,
    pub(crate) pricing: pricing::Client,
    pub(crate) reservation_ttl: Duration,
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
        let migrations = sqlx::migrate!("../../migrations/inventory");
        let state = State {
            db: service::connect_database(&config.database_url(), &migrations).await?,
            redis: telemetry::redis::Redis::connect(config.redis_url.as_str())?.as_cache(),
            pricing: pricing::connect(&config.pricing_url)?,
            reservation_ttl: config.reservation_ttl,
        };
        let listener = service::bind(config.listen).await?;
        let background = Background::new();
        watch::start(&state, &background);
        expire::start(&state.db, config.sweep_interval, &background);
        consumer::start(&state, sqs, config.queue, &background);
        // Without Redis it is slower, without pricing or SQS half of its work goes on: only a lost
        // database is a reason to send callers elsewhere.
        let checks = Checks::new().database(state.db.clone());
        Ok(Self {
            listener,
            router: http::routes(state).merge(checks.routes()),
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
