//! Orders: the edge of the shop. A cart comes in over HTTP, an order goes out, and inventory
//! and payment are told over SQS. It answers with a problem when inventory or payment fail,
//! and loses nothing it answered for.

mod checkout;
mod config;
mod http;
mod idempotency;
// The neighbours, one file each.
mod inventory;
mod payment;
mod relay;
mod store;
mod tenant;
// What can go wrong, and what the API says of itself.
mod error;
mod openapi;

use std::{future::Future, sync::Arc, time::Duration};

use axum::Router;
use secrecy::SecretString;
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
    pub(crate) inventory: inventory::InventoryClient,
    pub(crate) payment: payment::PaymentClient,
    pub(crate) background: Background,
    pub(crate) settings: Arc<Settings>,
}

/// What a checkout needs to know of the configuration.
pub(crate) struct Settings {
    pub(crate) deadline: Duration,
    pub(crate) pseudonym_key: SecretString,
    pub(crate) inventory_queue: String,
    pub(crate) payment_queue: String,
}

impl App {
    /// Connects to what the service needs, brings its schema up to date and binds its address.
    ///
    /// # Errors
    /// When Postgres cannot be reached, a migration fails or the address is taken.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let db = service::connect_database(
            config.database_url(),
            &sqlx::migrate!("../../migrations/orders"),
        )
        .await?;
        let sqs = service::sqs_client().await;
        let background = Background::new();
        let queues = [config.inventory_queue.clone(), config.payment_queue.clone()];
        relay::start(&db, sqs, queues, &background);

        let checks = Checks::new().database(db.clone());
        let state = State {
            db,
            inventory: inventory::InventoryClient::new(&config.inventory_url)?,
            payment: payment::PaymentClient::new(&config.payment_url)?,
            background: background.clone(),
            settings: Arc::new(Settings {
                deadline: config.deadline,
                pseudonym_key: config.pseudonym_key,
                inventory_queue: config.inventory_queue,
                payment_queue: config.payment_queue,
            }),
        };
        Ok(Self {
            listener: service::bind(config.listen).await?,
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
