//! The end: what is still queued goes out within a bound, whatever the collector does.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::pipeline::Pipeline;

/// How long [`Guard::shutdown`] may take.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);
/// How long a dropped guard may hold its thread.
const DROP_LIMIT: Duration = Duration::from_secs(2);

/// Keeps telemetry running. Hold it until the end of `main` and call
/// [`shutdown`](Self::shutdown) last, after the requests and messages in hand are done.
#[must_use = "telemetry stops when the guard is dropped"]
#[derive(Debug)]
pub struct Guard {
    pipeline: Option<Pipeline>,
}

impl Guard {
    pub(crate) fn new(pipeline: Option<Pipeline>) -> Self {
        Self { pipeline }
    }

    /// Sends what is queued and stops, within five seconds. Spans that could not be
    /// delivered are counted and logged.
    ///
    /// The waiting is done on a thread of its own: it blocks no worker and works on any
    /// runtime, inside a spawned task too.
    pub async fn shutdown(mut self) {
        let Some(pipeline) = self.pipeline.take() else {
            return;
        };
        let (done, finished) = oneshot::channel();
        let waiting = thread::Builder::new()
            .name("otel-shutdown".to_owned())
            .spawn(move || {
                stop(pipeline, SHUTDOWN_LIMIT);
                // Nobody waits any more if the future was dropped; that is their choice.
                let _ = done.send(());
            });
        match waiting {
            Ok(_) => {
                let _ = finished.await;
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "no thread to flush telemetry on: what was queued is lost"
            ),
        }
    }
}

impl Drop for Guard {
    /// The way out of an early `?` or a panic: a shorter wait, on this thread.
    fn drop(&mut self) {
        if let Some(pipeline) = self.pipeline.take() {
            stop(pipeline, DROP_LIMIT);
        }
    }
}

/// Flushes and stops everything, and comes back after `limit` even if that hangs.
fn stop(pipeline: Pipeline, limit: Duration) {
    let Pipeline {
        tracers,
        meters,
        loggers,
        delivery,
        io,
    } = pipeline;
    let (done, finished) = mpsc::channel();
    let started = Instant::now();
    let left = move || limit.saturating_sub(started.elapsed());
    let flushing = thread::Builder::new()
        .name("otel-flush".to_owned())
        .spawn(move || {
            // The results are not worth a look: `Ok` is also the answer when the last
            // export failed. The metrics go last, because they count the others.
            let _ = tracers.shutdown_with_timeout(left());
            let _ = loggers.shutdown_with_timeout(left());
            let _ = meters.shutdown_with_timeout(left());
            let _ = done.send(());
        });
    let in_time = flushing.is_ok() && finished.recv_timeout(limit).is_ok();
    let lost = delivery.undelivered();
    if lost > 0 || !in_time {
        tracing::warn!(
            spans.ended = delivery.ended(),
            spans.lost = lost,
            complete = in_time,
            "telemetry was not delivered completely: check OTEL_EXPORTER_OTLP_ENDPOINT and the collector"
        );
    }
    // Everything that mattered is out; waiting for the thread would panic where this is
    // called inside of another runtime.
    io.shutdown_background();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_guard_without_a_pipeline_has_nothing_to_wait_for() {
        let started = Instant::now();
        Guard::new(None).shutdown().await;
        drop(Guard::new(None));
        assert!(started.elapsed() < Duration::from_secs(1));
    }
}
