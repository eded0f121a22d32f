//! The loop that takes messages from a queue and hands them to a handler.

use std::{convert::Infallible, sync::Arc, time::Duration};

use rand::RngExt as _;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    error::QueueError,
    message::Message,
    process::{ProcessParent, Processed, process},
    queue::{MAX_BATCH, Queue},
};
use crate::{Failure, spawn_detached};

/// First and longest pause after a receive that failed.
const RECEIVE_BACK_OFF: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_secs(30));

/// Takes messages from a queue and runs a handler for each.
///
/// - A message is deleted when its handler is done, and only then: delivery is at least once, so
///   handlers must be idempotent.
/// - When a handler fails or panics, the message becomes visible again after a pause that doubles
///   with every delivery; after the queue's `maxReceiveCount` SQS moves it to the dead-letter
///   queue. Other messages are not affected.
/// - While a handler runs, the message is kept hidden from other consumers.
/// - When SQS does not answer, the loop goes on trying, ever more slowly, and logs it once.
///
/// ```no_run
/// # use std::time::Duration;
/// # use telemetry::sqs::{Consumer, Queue};
/// # #[derive(Debug, thiserror::Error)]
/// # #[error("no")]
/// # struct No;
/// # impl telemetry::Failure for No {
/// #     fn error_type(&self) -> &'static str { "no" }
/// #     fn stage(&self) -> &'static str { "post" }
/// # }
/// # async fn post(_: &str) -> Result<(), No> { Ok(()) }
/// # async fn example(queue: Queue, stop: tokio_util::sync::CancellationToken) {
/// Consumer::new(queue)
///     .concurrency(4)
///     .visibility(Duration::from_secs(60))
///     .run(stop, |message| async move { post(&message.body).await })
///     .await;
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Consumer {
    queue: Queue,
    concurrency: usize,
    wait: Duration,
    visibility: Duration,
    retry_delay: (Duration, Duration),
    parent: ProcessParent,
}

impl Consumer {
    /// A consumer of `queue`, one message at a time.
    pub fn new(queue: Queue) -> Self {
        Self {
            queue,
            concurrency: 1,
            wait: Duration::from_secs(20),
            visibility: Duration::from_secs(30),
            retry_delay: (Duration::from_secs(1), Duration::from_secs(300)),
            parent: ProcessParent::default(),
        }
    }

    /// How many messages are processed at a time; at least one.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// How long one receive waits for a message. SQS allows 20 seconds, the default.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How long a message stays hidden when this process dies; at least two seconds, by default
    /// 30. A running handler extends it by itself.
    #[must_use]
    pub fn visibility(mut self, visibility: Duration) -> Self {
        self.visibility = visibility.max(Duration::from_secs(2));
        self
    }

    /// How long a message stays hidden after its first failure, and at most. Doubles with every
    /// delivery; by default one second, at most five minutes.
    #[must_use]
    pub fn retry_delay(mut self, first: Duration, at_most: Duration) -> Self {
        self.retry_delay = (first, at_most);
        self
    }

    /// How the spans are tied to the context that came with the message.
    #[must_use]
    pub fn process_parent(mut self, parent: ProcessParent) -> Self {
        self.parent = parent;
        self
    }

    /// Runs until `stop` is cancelled, then finishes the messages in hand and returns.
    ///
    /// On `stop` an open receive is abandoned. What SQS had just handed over comes again when its
    /// visibility runs out. To bound how long the messages in hand may take, put a timeout around
    /// this call.
    pub async fn run<H, F, E>(self, stop: CancellationToken, handler: H)
    where
        H: Fn(Message) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Failure + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(self.concurrency));
        let handler = Arc::new(handler);
        let mut failures = 0;
        while let Some(free) = self.free_slots(&slots, &stop).await {
            let received = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                received = self.queue.receive_for(free, self.wait, Some(self.visibility)) => received,
            };
            match received {
                Ok(messages) => {
                    if failures > 0 {
                        tracing::info!(queue = self.queue.name(), "receiving messages again");
                        failures = 0;
                    }
                    for message in messages {
                        // There was a free slot for each, and only this loop takes them.
                        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                            return;
                        };
                        let consumer = self.clone();
                        let handler = Arc::clone(&handler);
                        spawn_detached(async move {
                            consumer.handle(&message, &*handler).await;
                            drop(slot);
                        });
                    }
                }
                Err(error) => {
                    self.log_once(failures, &error);
                    failures = failures.saturating_add(1);
                    let pause = pause_after(failures);
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
        let all = u32::try_from(self.concurrency).unwrap_or(u32::MAX);
        let _finished = slots.acquire_many(all).await;
    }

    /// Waits for a free slot; how many there are then. `None` when it is time to stop.
    async fn free_slots(&self, slots: &Semaphore, stop: &CancellationToken) -> Option<usize> {
        let free = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            slot = slots.acquire() => slot.ok()?,
        };
        drop(free);
        Some(slots.available_permits().clamp(1, MAX_BATCH))
    }

    async fn handle<H, F, E>(&self, message: &Message, handler: &H)
    where
        H: Fn(Message) -> F,
        F: Future<Output = Result<(), E>>,
        E: Failure,
    {
        let work = process(&self.queue, message, self.parent, handler);
        let processed = tokio::select! {
            processed = work => processed,
            never = self.keep_hidden(message) => match never {},
        };
        if processed == Processed::Failed {
            let delay = self.delay_after(message.receive_count);
            if let Err(error) = self.queue.change_visibility(message, delay).await {
                tracing::debug!(
                    queue = self.queue.name(),
                    message.id = %message.id,
                    error = %error,
                    "the message becomes visible when its timeout runs out"
                );
            }
        }
    }

    /// Extends the visibility as long as the handler runs.
    async fn keep_hidden(&self, message: &Message) -> Infallible {
        loop {
            tokio::time::sleep(self.visibility / 2).await;
            let extended = crate::untraced(self.queue.change_visibility(message, self.visibility));
            if let Err(error) = extended.await {
                tracing::warn!(
                    queue = self.queue.name(),
                    message.id = %message.id,
                    error = %error,
                    "cannot keep the message hidden; it may be delivered twice"
                );
            }
        }
    }

    fn delay_after(&self, receive_count: u32) -> Duration {
        let (first, at_most) = self.retry_delay;
        doubled(first, receive_count.saturating_sub(1)).min(at_most)
    }

    fn log_once(&self, earlier_failures: u32, error: &QueueError) {
        if earlier_failures == 0 {
            tracing::warn!(
                queue = self.queue.name(),
                error.type = error.error_type(),
                error = %error,
                "cannot receive messages; trying again until it works"
            );
        }
    }
}

/// The pause after so many failed receives: doubled each time, bounded, and spread by half so
/// that many consumers do not come back at once.
fn pause_after(failures: u32) -> Duration {
    let (first, at_most) = RECEIVE_BACK_OFF;
    let pause = doubled(first, failures.saturating_sub(1)).min(at_most);
    rand::rng().random_range(pause / 2..=pause)
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_after_failed_receives_grows_and_is_bounded() {
        for failures in [1, 2, 5, 100, u32::MAX] {
            let pause = pause_after(failures);
            assert!(pause >= RECEIVE_BACK_OFF.0 / 2, "{pause:?}");
            assert!(pause <= RECEIVE_BACK_OFF.1, "{pause:?}");
        }
    }

    #[test]
    fn doubling_never_overflows() {
        assert_eq!(doubled(Duration::from_secs(1), 3), Duration::from_secs(8));
        assert_eq!(doubled(Duration::ZERO, u32::MAX), Duration::ZERO);
        assert!(doubled(Duration::from_secs(1), u32::MAX) >= Duration::from_secs(1 << 31));
    }
}
