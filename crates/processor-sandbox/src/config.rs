//! Settings of the processor sandbox: flags, or variables of the same name.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;

/// Stands for the card processor: Stripe's charge shape, test tokens, its latency.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,

    /// How long a charge takes, give or take a tenth.
    #[arg(long, env = "SANDBOX_LATENCY", default_value = "80ms", value_parser = service::parse_duration)]
    pub latency: Duration,

    /// How long a risk assessment takes, give or take a tenth.
    #[arg(long, env = "SANDBOX_RISK_LATENCY", default_value = "5ms", value_parser = service::parse_duration)]
    pub risk_latency: Duration,

    /// How long a charge of `tok_chargeTimeout` hangs before it is answered.
    #[arg(long, env = "SANDBOX_HANG", default_value = "30s", value_parser = service::parse_duration)]
    pub hang: Duration,
}
