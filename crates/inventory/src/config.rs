//! Settings of inventory: flags, or variables of the same name.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// What every connection to Postgres is told, unless the URL says otherwise.
const SESSION_SETTINGS: [(&str, &str); 4] = [
    // A row that somebody else holds: the caller gave up long before, but the wait must end.
    ("lock_timeout", "8s"),
    ("statement_timeout", "20s"),
    // Tenants differ by orders of magnitude; a plan for the average one serves none of them.
    ("plan_cache_mode", "force_custom_plan"),
    // One of many requests gets one core of the server, not several.
    ("max_parallel_workers_per_gather", "0"),
];

/// Keeps the books of stock, and holds it for orders.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "INVENTORY_LISTEN", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,

    /// Postgres, with this service's schema as `search_path`.
    #[arg(long, env = "INVENTORY_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,

    /// Redis, the cache of what is on hand.
    #[arg(
        long,
        env = "INVENTORY_REDIS_URL",
        default_value = "redis://127.0.0.1:6379"
    )]
    pub redis_url: Url,

    /// Where pricing listens.
    #[arg(
        long,
        env = "INVENTORY_PRICING_URL",
        default_value = "http://127.0.0.1:50051"
    )]
    pub pricing_url: Url,

    /// The queue that says which orders were placed.
    #[arg(long, env = "INVENTORY_QUEUE", default_value = "inventory-events")]
    pub queue: String,

    /// How long stock is held for an order that is not paid.
    #[arg(long, env = "INVENTORY_RESERVATION_TTL", default_value = "15m", value_parser = service::parse_duration)]
    pub reservation_ttl: Duration,

    /// How often stock of stale reservations is given back.
    #[arg(long, env = "INVENTORY_SWEEP_INTERVAL", default_value = "5s", value_parser = service::parse_duration)]
    pub sweep_interval: Duration,
}

impl Config {
    /// The URL with the session settings that it does not make itself.
    pub(crate) fn database_url(&self) -> String {
        let mut url = self.database_url.expose_secret().to_owned();
        for (name, value) in SESSION_SETTINGS {
            if !url.contains(name) {
                let separator = if url.contains('?') { '&' } else { '?' };
                url.push_str(&format!("{separator}options[{name}]={value}"));
            }
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database_url(url: &str) -> String {
        Config::parse_from(["inventory", "--database-url", url]).database_url()
    }

    #[test]
    fn waits_in_the_database_are_bounded_unless_the_url_says_otherwise() {
        assert_eq!(
            database_url("postgres://shop@localhost/shop"),
            "postgres://shop@localhost/shop?options[lock_timeout]=8s\
             &options[statement_timeout]=20s&options[plan_cache_mode]=force_custom_plan\
             &options[max_parallel_workers_per_gather]=0"
        );
        let url = database_url(
            "postgres://shop@localhost/shop?options=-csearch_path%3Dinventory%20-clock_timeout%3D1s",
        );
        assert!(!url.contains("options[lock_timeout]"), "{url}");
        assert!(url.contains("&options[statement_timeout]=20s"), "{url}");
    }
}
