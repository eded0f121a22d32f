//! Starts payment, and stops it on SIGTERM or Ctrl-C.

use clap::Parser;
use payment::{App, Config};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    let telemetry = telemetry::init(telemetry::service!())?;
    let served = match App::build(config).await {
        Ok(app) => app.run_until(telemetry::shutdown_signal()).await,
        Err(error) => Err(error),
    };
    telemetry.shutdown().await;
    served
}
