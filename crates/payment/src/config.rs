//! Settings of payment: flags, or variables of the same name.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Charges cards, and renders the invoices of what was bought.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "PAYMENT_LISTEN", default_value = "127.0.0.1:50052")]
    pub listen: SocketAddr,

    /// Postgres, with this service's schema as `search_path`.
    #[arg(long, env = "PAYMENT_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,

    /// Where the card processor listens.
    #[arg(
        long,
        env = "PAYMENT_PROCESSOR_URL",
        default_value = "http://127.0.0.1:8090"
    )]
    pub processor_url: Url,

    /// The secret key at the card processor.
    #[arg(long, env = "PAYMENT_PROCESSOR_KEY", hide_env_values = true)]
    pub processor_key: SecretString,

    /// How long a charge may take at the processor.
    #[arg(long, env = "PAYMENT_CHARGE_TIMEOUT", default_value = "3s", value_parser = service::parse_duration)]
    pub charge_timeout: Duration,

    /// How long one attempt of the fraud check may take.
    #[arg(long, env = "PAYMENT_FRAUD_TIMEOUT", default_value = "500ms", value_parser = service::parse_duration)]
    pub fraud_timeout: Duration,

    /// The queue that says which orders were placed.
    #[arg(long, env = "PAYMENT_QUEUE", default_value = "payment-events")]
    pub queue: String,
}

impl Config {
    pub(crate) fn database_url(&self) -> &str {
        self.database_url.expose_secret()
    }
}
