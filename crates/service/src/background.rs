//! Work beside the requests: consumers, relays, sweepers. It is told to stop after the last
//! request was answered, and waited for.

use std::{future::Future, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The background work of one service.
#[derive(Debug, Clone, Default)]
pub struct Background {
    draining: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Background {
    /// No work yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a loop that ends soon after its token is cancelled. It belongs to no request and
    /// so to no trace.
    pub fn start<F, W>(&self, work: W)
    where
        W: FnOnce(CancellationToken) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        telemetry::spawn_detached(self.tasks.track_future(work(self.stop.clone())));
    }

    /// Cancelled as soon as the service is told to stop, before the requests in flight are
    /// waited for: streams without an end of their own end with it.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// Starts work of the current request that must be finished even if the caller goes away.
    /// It stays in the request's trace.
    pub fn finish<F>(&self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        telemetry::spawn(self.tasks.track_future(work))
    }

    /// Tells every loop to stop and waits until all work is done, `limit` at most. Says whether
    /// it was.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(limit, self.tasks.wait()).await.is_ok()
    }
}
