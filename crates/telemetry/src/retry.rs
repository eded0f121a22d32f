//! Trying again, visibly: each attempt makes its own client span, which bears the
//! attempt's number.

use std::time::Duration;

use opentelemetry::{Context, context::FutureExt as _};
use rand::RngExt as _;

/// The number of the attempt that is running, in the OpenTelemetry context.
#[derive(Clone, Copy, Debug)]
struct Attempt(u32);

/// Which attempt of a retried call `context` belongs to: 0 is the first, 1 the first
/// repetition; `None` outside of [`Retry::run`].
///
/// The HTTP client writes 1 and more as `http.request.resend_count`, the gRPC client
/// as `retry.attempt`.
pub fn current_attempt(context: &Context) -> Option<u32> {
    context.get::<Attempt>().map(|attempt| attempt.0)
}

/// Repeats an operation with exponential back-off and full jitter.
///
/// ```
/// # use std::time::Duration;
/// # use telemetry::Retry;
/// # async fn score() -> Result<u8, std::io::Error> { Ok(1) }
/// # async fn example() -> Result<u8, std::io::Error> {
/// Retry::new(3)
///     .base_delay(Duration::from_millis(50))
///     .run(score, |error| error.kind() == std::io::ErrorKind::TimedOut)
///     .await
/// # }
/// ```
///
/// Dropping the future, for example because the request's deadline passed, stops the
/// attempts; so keep the deadline outside.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    max_attempts: u32,
    base_delay: Duration,
    max_delay: Duration,
}

impl Retry {
    /// Tries at most `max_attempts` times, the first time included; 0 counts as 1.
    pub const fn new(max_attempts: u32) -> Self {
        Self {
            max_attempts,
            base_delay: Duration::from_millis(50),
            max_delay: Duration::from_secs(1),
        }
    }

    /// Upper bound of the pause before the first repetition; it doubles each time.
    #[must_use]
    pub const fn base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// Upper bound of every pause.
    #[must_use]
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Runs `operation` until it succeeds, fails in a way `retryable` refuses, or the
    /// attempts are used up; answers with the last result.
    pub async fn run<T, E, F>(
        self,
        mut operation: impl FnMut() -> F,
        mut retryable: impl FnMut(&E) -> bool,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut attempt = 0;
        loop {
            let context = Context::map_current(|current| current.with_value(Attempt(attempt)));
            let result = operation().with_context(context).await;
            let last = attempt + 1 >= self.max_attempts;
            match result {
                Err(error) if !last && retryable(&error) => {
                    tokio::time::sleep(self.pause(attempt)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// A random pause between nothing and the doubled bound. Full jitter spreads the
    /// callers that failed together; equal pauses would bring them back together.
    fn pause(&self, attempt: u32) -> Duration {
        let bound = self
            .base_delay
            .saturating_mul(2_u32.saturating_pow(attempt))
            .min(self.max_delay);
        rand::rng().random_range(Duration::ZERO..=bound)
    }
}

#[cfg(test)]
mod tests;
