//! Settings of orders: flags, or variables of the same name.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Takes carts and answers with orders.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "ORDERS_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Postgres, with this service's schema as `search_path`.
    #[arg(long, env = "ORDERS_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,

    /// Where inventory listens.
    #[arg(
        long,
        env = "ORDERS_INVENTORY_URL",
        default_value = "http://127.0.0.1:8081"
    )]
    pub inventory_url: Url,

    /// Where payment listens.
    #[arg(
        long,
        env = "ORDERS_PAYMENT_URL",
        default_value = "http://127.0.0.1:50052"
    )]
    pub payment_url: Url,

    /// Queue on which inventory is told of orders.
    #[arg(
        long,
        env = "ORDERS_INVENTORY_QUEUE",
        default_value = "inventory-events"
    )]
    pub inventory_queue: String,

    /// Queue on which payment is told of orders.
    #[arg(long, env = "ORDERS_PAYMENT_QUEUE", default_value = "payment-events")]
    pub payment_queue: String,

    /// How long a checkout may take before the caller gets a 504.
    #[arg(long, env = "ORDERS_DEADLINE", default_value = "5s", value_parser = service::parse_duration)]
    pub deadline: Duration,

    /// Key of the pseudonyms under which telemetry knows users. Change it, and yesterday's
    /// pseudonyms cannot be linked to today's.
    #[arg(
        long,
        env = "ORDERS_PSEUDONYM_KEY",
        default_value = "development-only",
        hide_env_values = true
    )]
    pub pseudonym_key: SecretString,
}

impl Config {
    pub(crate) fn database_url(&self) -> &str {
        self.database_url.expose_secret()
    }
}
