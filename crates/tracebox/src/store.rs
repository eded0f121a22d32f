//! The store: traces in bounded memory, the oldest leaving first.
//!
//! Locks are held for one slice of work at a time (a few hundred spans), so that
//! a large export and a long search let each other through.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use prost::Message;

mod body;
mod sources;
mod strings;
#[cfg(test)]
mod tests;
mod trace;
mod view;

use crate::metrics::{Counters, Figures};
use crate::model::{SpanId, TraceId};
use sources::{SourceId, Sources};
use strings::Strings;
use trace::{Record, Trace};
pub(crate) use view::{SpanView, TraceView, ValueView};

/// What the store may grow to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Approximate bytes of everything stored.
    pub max_memory: usize,
    /// Spans of one trace; what comes after is refused.
    pub max_spans_per_trace: usize,
}

/// What became of one export request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Spans stored now.
    pub stored: usize,
    /// Spans that were stored before and were sent again.
    pub duplicates: usize,
    /// Spans refused.
    pub rejected: usize,
    /// Why spans were refused, for the exporter's log. Empty when none was.
    pub message: String,
}

/// A bounded store of traces. Share it in an `Arc`.
pub struct Store {
    limits: Limits,
    inner: RwLock<Inner>,
    pub(crate) counters: Counters,
}

struct Inner {
    traces: HashMap<TraceId, Box<Trace>>,
    arrivals: BTreeSet<(u64, TraceId)>,
    next_arrival: u64,
    strings: Strings,
    sources: Sources,
    trace_bytes: usize,
    spans: usize,
    scratch: Vec<u8>,
}

/// Spans written, or read, under one lock.
const SLICE: usize = 512;
/// One trace may take this part of the memory.
const TRACE_SHARE: usize = 4;

enum Outcome {
    Stored,
    Duplicate,
}

#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Refusal {
    #[error("trace id is not 16 bytes or is all zero")]
    TraceId,
    #[error("span id is not 8 bytes or is all zero")]
    SpanId,
    #[error("parent span id is not 8 bytes")]
    ParentSpanId,
    #[error("trace is full: it reached the limit of spans or bytes for one trace")]
    TraceFull,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            inner: RwLock::new(Inner {
                traces: HashMap::new(),
                arrivals: BTreeSet::new(),
                next_arrival: 0,
                strings: Strings::new(),
                sources: Sources::default(),
                trace_bytes: 0,
                spans: 0,
                scratch: Vec::new(),
            }),
            counters: Counters::default(),
        }
    }

    /// Stores the spans of one export. Spans that are already there are not stored again,
    /// invalid ones are refused one by one, and the oldest traces leave to make room.
    pub fn ingest(&self, request: ExportTraceServiceRequest) -> Ingested {
        let mut outcome = Ingested::default();
        for mut resource in request.resource_spans {
            let scopes = std::mem::take(&mut resource.scope_spans);
            let key = resource.encode_to_vec();
            for mut scope in scopes {
                let spans = std::mem::take(&mut scope.spans);
                for slice in spans.chunks(SLICE) {
                    let mut inner = self.write();
                    let source = inner.sources.acquire(&key, &resource, &scope);
                    self.store_slice(&mut inner, slice, source, &mut outcome);
                    inner.sources.release(source);
                    self.make_room(&mut inner);
                }
            }
        }
        outcome
    }

    /// One trace as OTLP, or nothing if it never came or has left.
    #[must_use]
    pub fn trace(&self, id: TraceId) -> Option<TracesData> {
        let inner = self.read();
        Some(inner.view(id)?.to_otlp())
    }

    /// The counters and the present size.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let inner = self.read();
        let (traces, spans, bytes) = (inner.traces.len(), inner.spans, inner.bytes());
        drop(inner);
        self.counters.figures(traces, spans, bytes)
    }

    /// Ids of the traces that `wanted` accepts, those that started last first.
    pub(crate) fn newest_first(&self, wanted: impl Fn(&Trace) -> bool) -> Vec<TraceId> {
        let inner = self.read();
        let mut found: Vec<(u64, TraceId)> = inner
            .traces
            .iter()
            .filter(|(_, trace)| wanted(trace))
            .map(|(id, trace)| (trace.start, *id))
            .collect();
        drop(inner);
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// Shows the traces one after the other until `visit` breaks. The lock is given back
    /// after every few hundred spans; a trace evicted in between is passed over.
    pub(crate) fn visit(
        &self,
        ids: &[TraceId],
        mut visit: impl FnMut(TraceView<'_>) -> ControlFlow<()>,
    ) {
        let mut ids = ids.iter().peekable();
        while ids.peek().is_some() {
            let inner = self.read();
            let mut seen = 0;
            while seen < SLICE * 8
                && let Some(id) = ids.next()
            {
                seen += 8;
                let Some(view) = inner.view(*id) else {
                    continue;
                };
                seen += view.trace.spans.len();
                if visit(view).is_break() {
                    return;
                }
            }
        }
    }

    fn store_slice(
        &self,
        inner: &mut Inner,
        slice: &[Span],
        source: SourceId,
        outcome: &mut Ingested,
    ) {
        let arrival = inner.next_arrival;
        inner.next_arrival += 1;
        self.counters.received(slice.len());
        for span in slice {
            match inner.store(span, source, arrival, &self.limits) {
                Ok(Outcome::Stored) => {
                    outcome.stored += 1;
                    self.counters.stored();
                    self.make_room(inner);
                }
                Ok(Outcome::Duplicate) => {
                    outcome.duplicates += 1;
                    self.counters.duplicate();
                }
                Err(refusal) => {
                    outcome.rejected += 1;
                    if outcome.message.is_empty() {
                        outcome.message = refusal.to_string();
                    }
                    match refusal {
                        Refusal::TraceFull => self.counters.refused_full(),
                        _ => self.counters.refused_invalid(),
                    }
                }
            }
        }
    }

    fn make_room(&self, inner: &mut Inner) {
        while inner.bytes() > self.limits.max_memory {
            let Some(spans) = inner.evict_oldest() else {
                return;
            };
            self.counters.evicted(spans);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn bytes(&self) -> usize {
        self.trace_bytes + self.strings.bytes() + self.sources.bytes()
    }

    fn view(&self, id: TraceId) -> Option<TraceView<'_>> {
        Some(TraceView {
            id,
            trace: self.traces.get(&id)?,
            strings: &self.strings,
            sources: &self.sources,
        })
    }

    fn store(
        &mut self,
        span: &Span,
        source: SourceId,
        arrival: u64,
        limits: &Limits,
    ) -> Result<Outcome, Refusal> {
        let trace_id = TraceId::from_bytes(&span.trace_id).ok_or(Refusal::TraceId)?;
        let id = SpanId::from_bytes(&span.span_id).ok_or(Refusal::SpanId)?;
        let parent = parent(&span.parent_span_id)?;
        let max_bytes = limits.max_memory / TRACE_SHARE;
        let size = span.encoded_len();
        if size > max_bytes {
            return Err(Refusal::TraceFull);
        }

        let name = self.strings.acquire(&span.name);
        let trace_bytes = &mut self.trace_bytes;
        let trace = self.traces.entry(trace_id).or_insert_with(|| {
            let trace = Box::new(Trace::new());
            *trace_bytes += trace.bytes();
            trace
        });
        if trace.arrival != arrival || trace.spans.is_empty() {
            self.arrivals.remove(&(trace.arrival, trace_id));
            self.arrivals.insert((arrival, trace_id));
            trace.arrival = arrival;
        }
        if trace.contains(id.number(), span.start_time_unix_nano, name) {
            self.strings.release(name);
            return Ok(Outcome::Duplicate);
        }
        let before = trace.bytes();
        if trace.spans.len() >= limits.max_spans_per_trace || before + size > max_bytes {
            self.strings.release(name);
            return Err(Refusal::TraceFull);
        }
        trace.push(Record {
            id: id.number(),
            parent,
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            body: body::encode(span, &mut self.strings, &mut self.scratch),
            name,
            source,
            flags: span.flags,
            kind: known(span.kind, 5),
            status: known(span.status.as_ref().map_or(0, |status| status.code), 2),
        });
        self.sources.retain(source);
        self.trace_bytes = self.trace_bytes + trace.bytes() - before;
        self.spans += 1;
        Ok(Outcome::Stored)
    }

    /// Removes the trace that has been quiet for longest; says how many spans it had.
    fn evict_oldest(&mut self) -> Option<usize> {
        let (_, id) = self.arrivals.pop_first()?;
        let trace = self.traces.remove(&id)?;
        self.trace_bytes -= trace.bytes();
        self.spans -= trace.spans.len();
        for span in &trace.spans {
            self.strings.release(span.name);
            self.sources.release(span.source);
            body::release(&span.body, &mut self.strings);
        }
        Some(trace.spans.len())
    }
}

/// No parent comes as no bytes; some exporters send zeros.
fn parent(bytes: &[u8]) -> Result<u64, Refusal> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let bytes = bytes.try_into().map_err(|_| Refusal::ParentSpanId)?;
    Ok(u64::from_be_bytes(bytes))
}

/// A number outside the enumeration counts as its zero, "unspecified".
fn known(number: i32, highest: u8) -> u8 {
    u8::try_from(number)
        .ok()
        .filter(|number| *number <= highest)
        .unwrap_or(0)
}
