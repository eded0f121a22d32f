#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

// Read in this order: how it starts and stops, what business code calls, the edges, and
// what they stand on.

// Start and stop.
mod guard;
mod init;

// Business code: what a service calls.
mod context;
mod error;
mod event;
mod pseudonym;
mod retry;
mod spawn;
mod tenant;

pub mod attributes;

// Edges: made once, so that call sites do nothing.
pub mod grpc_client;
pub mod grpc_server;
pub mod http_client;
pub mod http_server;
pub mod redis;
pub mod sqlx;
pub mod sqs;

pub mod testing;

// Inside.
mod call;
mod config;
mod layers;
mod log_format;
mod percent;
mod pipeline;
pub mod propagation;
mod query_text;
mod resource;
mod span_guard;

use opentelemetry::{InstrumentationScope, global::BoxedTracer};

pub use config::InitError;
pub use context::{current_trace_id, untraced};
pub use error::{Failure, chain, record_failure};
pub use event::event;
pub use guard::Guard;
pub use init::{Service, init, shutdown_signal};
pub use propagation::TraceCarrier;
pub use pseudonym::pseudonym;
pub use retry::{Retry, current_attempt};
pub use spawn::{spawn, spawn_blocking, spawn_detached};
pub use tenant::{current_tenant, with_tenant};

pub(crate) use query_text::query_text_enabled;
pub(crate) use span_guard::SpanGuard;

/// The tracer of the edges. Asks the global provider each time, because a tracer
/// made before [`init`] would stay silent for ever.
pub(crate) fn tracer() -> BoxedTracer {
    opentelemetry::global::tracer_with_scope(
        InstrumentationScope::builder("telemetry")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(opentelemetry_semantic_conventions::SCHEMA_URL)
            .build(),
    )
}
