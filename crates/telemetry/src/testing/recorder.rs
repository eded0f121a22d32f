//! Keeps ended spans by trace and knows which are still open.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use opentelemetry::{
    Context,
    trace::{Span as _, SpanId, TraceId},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use tokio::sync::Notify;

/// The spans of one trace.
#[derive(Debug, Default)]
struct Trace {
    /// Names of the spans that have not ended.
    open: HashMap<SpanId, String>,
    ended: Vec<SpanData>,
}

#[derive(Debug, Default)]
struct State {
    traces: Mutex<HashMap<TraceId, Trace>>,
    ended: Notify,
}

/// A processor that keeps everything in memory. Clones share what they keep.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder(Arc<State>);

impl Recorder {
    /// The one recorder of this process.
    pub(super) fn global() -> Self {
        static GLOBAL: OnceLock<Recorder> = OnceLock::new();
        GLOBAL.get_or_init(Self::default).clone()
    }

    /// Takes the spans of `trace_id` as soon as all of them have ended.
    pub(super) async fn take(&self, trace_id: TraceId, patience: Duration) -> Vec<SpanData> {
        let complete = async {
            loop {
                // Registered before the look, so that an end in between is not missed.
                let ended = self.0.ended.notified();
                tokio::pin!(ended);
                ended.as_mut().enable();
                if self.open_names(trace_id).is_empty() {
                    return;
                }
                ended.await;
            }
        };
        if tokio::time::timeout(patience, complete).await.is_err() {
            panic!(
                "spans still open after {patience:?}: {}",
                self.open_names(trace_id).join(", ")
            );
        }
        let mut spans = self
            .traces()
            .remove(&trace_id)
            .map(|trace| trace.ended)
            .unwrap_or_default();
        spans.sort_by_key(|span| span.start_time);
        spans
    }

    /// Every ended span that has not been taken.
    pub(super) fn finished(&self) -> Vec<SpanData> {
        let mut spans: Vec<_> = self
            .traces()
            .values()
            .flat_map(|trace| trace.ended.iter().cloned())
            .collect();
        spans.sort_by_key(|span| span.end_time);
        spans
    }

    fn open_names(&self, trace_id: TraceId) -> Vec<String> {
        self.traces()
            .get(&trace_id)
            .map(|trace| trace.open.values().cloned().collect())
            .unwrap_or_default()
    }

    /// A test that panicked while a span ended says nothing about this map.
    fn traces(&self) -> MutexGuard<'_, HashMap<TraceId, Trace>> {
        self.0.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanProcessor for Recorder {
    fn on_start(&self, span: &mut Span, _: &Context) {
        let name = span
            .exported_data()
            .map(|data| data.name.into_owned())
            .unwrap_or_default();
        let id = span.span_context();
        self.traces()
            .entry(id.trace_id())
            .or_default()
            .open
            .insert(id.span_id(), name);
    }

    fn on_end(&self, span: SpanData) {
        let trace_id = span.span_context.trace_id();
        {
            let mut traces = self.traces();
            let trace = traces.entry(trace_id).or_default();
            trace.open.remove(&span.span_context.span_id());
            trace.ended.push(span);
        }
        self.0.ended.notify_waiters();
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
