//! Carrying the trace context and baggage out of and into the process.
//!
//! The wire format is W3C Trace Context and W3C Baggage. What comes in is a
//! stranger's input: whatever is malformed or larger than the limits below is
//! dropped, and the request goes on as if it had not been sent.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, global, propagation::Extractor, propagation::Injector,
    propagation::TextMapCompositePropagator,
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

pub use carrier::TraceCarrier;

use crate::percent;

mod carrier;

/// Longest `traceparent` that is looked at. Version 00 has 55 bytes; a later
/// version may append fields.
pub const MAX_TRACEPARENT_BYTES: usize = 256;
/// Longest `tracestate` that is kept, the length W3C asks every party to carry.
pub const MAX_TRACESTATE_BYTES: usize = 512;
/// Longest `baggage` that is kept, the length W3C asks every party to carry. The
/// propagator itself reads at most 64 entries of it.
pub const MAX_BAGGAGE_BYTES: usize = 8192;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
const BAGGAGE: &str = "baggage";

/// Makes W3C Trace Context and Baggage the propagators of this process.
///
/// [`init`](crate::init) and the test kit call it; calling it again changes nothing.
pub fn install() {
    global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]));
}

/// Writes the trace context and baggage of `context` into HTTP or gRPC headers.
///
/// Replaces what an earlier hop wrote under the same names, so that a forwarded
/// header can never contradict the span that makes this call. Take `context` from
/// [`Context::current`], never from the tracing span alone: when the active span
/// is an OpenTelemetry one, the tracing span knows nothing of it.
pub fn inject(context: &Context, headers: &mut HeaderMap) {
    headers.remove(TRACEPARENT);
    headers.remove(TRACESTATE);
    headers.remove(BAGGAGE);
    let mut fields = Fields::default();
    global::get_text_map_propagator(|propagator| propagator.inject_context(context, &mut fields));
    for (name, value) in fields.0 {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value.as_str()),
        ) {
            headers.insert(name, value);
        }
    }
}

/// Reads trace context and baggage from HTTP or gRPC headers.
///
/// Starts from an empty context: a request belongs to its caller, not to whatever
/// happens to be active on the thread that accepted it.
pub fn extract(headers: &HeaderMap) -> Context {
    let mut fields = Fields::default();
    for name in global::get_text_map_propagator(|propagator| {
        propagator.fields().map(str::to_owned).collect::<Vec<_>>()
    }) {
        if let Some(value) = joined(headers, &name) {
            fields.set(&name, value);
        }
    }
    fields.extract()
}

/// One header's values as one string, the way W3C says repeated headers combine.
///
/// A repeated `traceparent` is ambiguous and therefore ignored.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    let mut joined = values.next()?.to_str().ok()?.to_owned();
    for value in values {
        if name == TRACEPARENT {
            return None;
        }
        joined.push(',');
        joined.push_str(value.to_str().ok()?);
    }
    Some(joined)
}

/// The fields of one message, in and out.
#[derive(Debug, Default)]
struct Fields(HashMap<String, String>);

impl Fields {
    /// The context these fields describe, after the limits have been applied.
    fn extract(mut self) -> Context {
        self.drop_oversized();
        self.drop_malformed_baggage();
        global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), &self)
        })
    }

    fn drop_oversized(&mut self) {
        for (name, limit) in [
            (TRACEPARENT, MAX_TRACEPARENT_BYTES),
            (TRACESTATE, MAX_TRACESTATE_BYTES),
            (BAGGAGE, MAX_BAGGAGE_BYTES),
        ] {
            if self.0.get(name).is_some_and(|value| value.len() > limit) {
                self.0.remove(name);
            }
        }
    }

    /// The propagator ignores malformed entries too, but logs the whole header for each
    /// of them: a stranger could fill the log, and with whatever they like.
    fn drop_malformed_baggage(&mut self) {
        if let Some(baggage) = self.0.get_mut(BAGGAGE) {
            let kept: Vec<&str> = baggage.split(',').filter(|e| is_well_formed(e)).collect();
            *baggage = kept.join(",");
            if baggage.is_empty() {
                self.0.remove(BAGGAGE);
            }
        }
    }
}

/// Whether one entry of `baggage` is `key=value` with a value that can be decoded.
fn is_well_formed(entry: &str) -> bool {
    entry
        .split(';')
        .next()
        .and_then(|pair| pair.split_once('='))
        .is_some_and(|(key, value)| {
            percent::decoded(key).is_some() && percent::decoded(value).is_some()
        })
}

impl Injector for Fields {
    /// Empty values are left out: SQS refuses an empty message attribute, and an
    /// empty `tracestate` says nothing.
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.insert(key.to_owned(), value);
        }
    }
}

impl Extractor for Fields {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests;
