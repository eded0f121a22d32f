//! Settings of pricing: flags, or variables of the same name.

use std::net::SocketAddr;

use clap::Parser;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Prices carts.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "PRICING_LISTEN", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,

    /// Postgres, with this service's schema as `search_path`.
    #[arg(long, env = "PRICING_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,

    /// Redis, the cache of prices.
    #[arg(
        long,
        env = "PRICING_REDIS_URL",
        default_value = "redis://127.0.0.1:6379"
    )]
    pub redis_url: Url,
}

impl Config {
    pub(crate) fn database_url(&self) -> &str {
        self.database_url.expose_secret()
    }
}
