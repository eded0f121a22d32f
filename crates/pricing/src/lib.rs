//! Pricing: a cart comes in over gRPC, a quote goes out. It fails when an item has no price,
//! or when Postgres does not answer; a lost Redis only makes it slower.

mod config;
mod grpc;
mod quote;
mod rules;
// The neighbours, one file each.
mod cache;
mod store;
mod watch;
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

/// What every request may use.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) db: telemetry::sqlx::PgPool,
    pub(crate) redis: telemetry::redis::Redis,
    pub(crate) watch: watch::Watch,
}

impl App {
    /// Connects to what the service needs, brings its schema up to date and binds its address.
    ///
    /// # Errors
    /// When Postgres cannot be reached, a migration fails or the address is taken.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let db = service::connect_database(
            config.database_url(),
            &sqlx::migrate!("../../migrations/pricing"),
        )
        .await?;
        let redis = telemetry::redis::Redis::connect(config.redis_url.as_str())?.as_cache();
        let background = Background::new();
        let watch = watch::Watch::start(&db, &redis, &background);
        let checks = Checks::new().database(db.clone());
        let state = State { db, redis, watch };
        Ok(Self {
            listener: service::bind(config.listen).await?,
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
