//! Spawning with the trace context. The bare functions of tokio lose it, so the
//! workspace's `clippy.toml` bans them everywhere but here.

use opentelemetry::{Context, context::FutureExt as _};
use tokio::task::JoinHandle;
use tracing::{Instrument as _, Span};

/// Spawns work that belongs to the current request: its spans become children of
/// the current span.
///
/// The current span stays open until the task is done, so that the trace shows how
/// long the work really took. For work that outlives the request on purpose use
/// [`spawn_detached`].
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let context = Context::current();
    // The OpenTelemetry context goes inside: entering the tracing span activates
    // that span's own context, which an edge's span or baggage may be newer than.
    bare_spawn(future.with_context(context).instrument(Span::current()))
}

/// Spawns work that belongs to no request, such as a background loop: it starts
/// without parent, tenant or suppression, whatever is current here.
pub fn spawn_detached<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    bare_spawn(future.with_context(Context::new()).instrument(Span::none()))
}

/// Runs blocking work on tokio's blocking threads, inside the current span.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the function the ban points to"
)]
pub fn spawn_blocking<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let context = Context::current();
    let span = Span::current();
    tokio::task::spawn_blocking(move || {
        span.in_scope(|| {
            let _active = context.attach();
            work()
        })
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the function the ban points to"
)]
fn bare_spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}
