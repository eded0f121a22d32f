//! A test kit: run a piece of code under a root span and look at the trace it made.
//!
//! ```
//! use telemetry::testing;
//!
//! #[tracing::instrument(name = "checkInventory", skip_all)]
//! async fn check_inventory() -> u32 {
//!     telemetry::event("cache miss", []);
//!     7
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let recorded = testing::trace("test", check_inventory()).await;
//! assert_eq!(recorded.result, 7);
//! assert_eq!(recorded.shape(), "test\n  checkInventory (cache miss)\n");
//! # }
//! ```
//!
//! One provider serves the whole test process. Each [`trace`] looks only at its own
//! trace, so tests run in parallel; what they start in other processes is not seen.

use std::{sync::Once, time::Duration};

use opentelemetry::{
    Context, Value,
    context::FutureExt as _,
    global,
    trace::{SpanBuilder, SpanKind, Status, TraceContextExt as _, TraceId, TracerProvider as _},
};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData};
use trace_tree::TraceTree;
use tracing_subscriber::{Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use self::recorder::Recorder;
use crate::{SpanGuard, layers, propagation, query_text};

mod convert;
mod recorder;
mod shape;

/// How long [`trace`] waits for the last span to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Installs in-memory tracing for this test process. Calling it again does nothing.
///
/// [`trace`] calls it. Call it yourself when spans are made before the first `trace`.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        propagation::install();
        query_text::enable_query_text(true);
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_span_processor(Recorder::global())
            .build();
        global::set_tracer_provider(provider.clone());
        let filter = layers::LogFilter::parse("info").expect("`info` is a valid directive");
        // A test that has its own subscriber keeps it; the edges do not need ours.
        let _ = tracing_subscriber::registry()
            .with(filter)
            .with(layers::spans(provider.tracer("telemetry")))
            .with(tracing_subscriber::fmt::layer().with_test_writer().boxed())
            .try_init();
    });
}

/// Runs `future` under a fresh root span called `name` and answers with its result and
/// every span of the trace, once they all have ended.
///
/// # Panics
///
/// If a span of the trace is still open ten seconds after `future` was done.
pub async fn trace<F: Future>(name: &'static str, future: F) -> Recorded<F::Output> {
    install();
    let root = SpanGuard::start(
        SpanBuilder::from_name(name).with_kind(SpanKind::Internal),
        &Context::new(),
    );
    let trace_id = root.context().span().span_context().trace_id();
    let result = future.with_context(root.context().clone()).await;
    root.end();
    let spans = Recorder::global().take(trace_id, PATIENCE).await;
    Recorded {
        result,
        trace_id,
        spans,
    }
}

/// All spans that have ended in this process, of traces that no [`trace`] has
/// collected, in the order of their ends: for code that starts its own traces.
pub fn finished_spans() -> Vec<SpanData> {
    Recorder::global().finished()
}

/// What [`trace`] saw.
#[derive(Debug)]
pub struct Recorded<T> {
    /// What the future returned.
    pub result: T,
    /// The trace that was made.
    pub trace_id: TraceId,
    /// Its spans in the order of their starts.
    pub spans: Vec<SpanData>,
}

impl<T> Recorded<T> {
    /// The trace as text, for snapshots: one line per span with its name, its kind
    /// unless INTERNAL, its events, and its error; no ids and no times.
    ///
    /// Siblings stand in the order of their starts. A span whose parent is not in the
    /// trace stands at the left margin, marked `(orphan)`.
    pub fn shape(&self) -> String {
        shape::render(&self.spans)
    }

    /// The trace as a tree, for questions about structure: roots, orphans, children.
    pub fn tree(&self) -> TraceTree {
        TraceTree::build(self.spans.iter().map(convert::span).collect())
    }

    /// The one span called `name`.
    ///
    /// # Panics
    ///
    /// If there is none or more than one; the message shows the trace.
    #[track_caller]
    pub fn span(&self, name: &str) -> &SpanData {
        let mut named = self.spans.iter().filter(|span| span.name == name);
        match (named.next(), named.next()) {
            (Some(span), None) => span,
            (None, _) => panic!("no span `{name}` in\n{}", self.shape()),
            (Some(_), Some(_)) => panic!("more than one span `{name}` in\n{}", self.shape()),
        }
    }

    /// All spans called `name`, in the order of their starts.
    pub fn spans_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a SpanData> {
        self.spans.iter().filter(move |span| span.name == name)
    }

    /// The value of attribute `key` on the one span called `span`, as text.
    ///
    /// # Panics
    ///
    /// As [`span`](Self::span) does.
    #[track_caller]
    pub fn attribute(&self, span: &str, key: &str) -> Option<String> {
        attribute(self.span(span), key).map(|value| value.as_str().into_owned())
    }
}

/// The value of attribute `key` on `span`; the last one if it was set repeatedly.
pub fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    span.attributes
        .iter()
        .rev()
        .find(|attribute| attribute.key.as_str() == key)
        .map(|attribute| &attribute.value)
}

/// Whether `span` ended with status Error.
pub fn is_error(span: &SpanData) -> bool {
    matches!(span.status, Status::Error { .. })
}
