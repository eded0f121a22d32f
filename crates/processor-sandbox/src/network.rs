//! The way to the processor and back. The sleep here stands for a third party's network; it is
//! the only one in the shop that stands for work.

use std::time::Duration;

use rand::RngExt;
use tokio_util::sync::CancellationToken;

use crate::{
    Config,
    faults::{Faults, Resource},
};

/// The requests that got lost on the way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost;

pub(crate) struct Network {
    faults: Faults,
    hang: Duration,
    draining: CancellationToken,
}

impl Network {
    pub(crate) fn new(config: &Config, draining: CancellationToken) -> Self {
        Self {
            faults: Faults::new(config),
            hang: config.hang,
            draining,
        }
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Takes the time of a round trip; fails when the faults say so.
    pub(crate) async fn cross(&self, resource: Resource) -> Result<(), Lost> {
        let jitter = rand::rng().random_range(0.9..=1.1);
        self.pause(self.faults.latency(resource).mul_f64(jitter))
            .await;
        if self.faults.next_fails(resource) {
            Err(Lost)
        } else {
            Ok(())
        }
    }

    /// Takes longer than any caller waits.
    pub(crate) async fn hang(&self) {
        self.pause(self.hang).await;
    }

    /// A sandbox that is told to stop keeps nobody waiting.
    async fn pause(&self, duration: Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = self.draining.cancelled() => {}
        }
    }
}
