//! The trace context as three strings, for places that are not headers: a row of
//! an outbox, the attributes of a message.

use opentelemetry::{
    Context, KeyValue,
    baggage::{Baggage, BaggageExt as _},
    global,
    propagation::Injector as _,
};
use serde::{Deserialize, Serialize};

use super::{BAGGAGE, Fields, TRACEPARENT, TRACESTATE};
use crate::attributes;

/// Baggage that may be stored or sent through a queue. Anything else a caller put
/// into its baggage stays with the request that brought it: rows and messages
/// outlive the request, and strangers do not get to write into them.
const STORED_BAGGAGE: [&str; 1] = [attributes::TENANT_ID];

/// Trace context and baggage of one moment, ready to be stored or sent.
///
/// ```
/// # use telemetry::TraceCarrier;
/// // When the row is written:
/// let carrier = TraceCarrier::capture();
/// let stored = serde_json::to_string(&carrier)?;
///
/// // When somebody picks it up, perhaps in another process:
/// let carrier: TraceCarrier = serde_json::from_str(&stored)?;
/// let parent = carrier.context();
/// # let _ = parent;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceCarrier {
    /// W3C `traceparent`: trace id, parent span id, sampled flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// W3C `tracestate`: what tracing vendors add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// W3C `baggage`, reduced to the entries that may be stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baggage: Option<String>,
}

impl TraceCarrier {
    /// Captures the context that is current now.
    pub fn capture() -> Self {
        Self::from_context(&Context::current())
    }

    /// Captures `context`.
    pub fn from_context(context: &Context) -> Self {
        let kept: Baggage = STORED_BAGGAGE
            .into_iter()
            .filter_map(|key| {
                let value = context.baggage().get(key)?;
                Some(KeyValue::new(key, value.clone()))
            })
            .collect();
        let stored = context.with_baggage(kept);
        let mut fields = Fields::default();
        global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&stored, &mut fields);
        });
        Self {
            traceparent: fields.0.remove(TRACEPARENT),
            tracestate: fields.0.remove(TRACESTATE),
            baggage: fields.0.remove(BAGGAGE),
        }
    }

    /// The context that was captured, as a remote parent. Empty if nothing usable
    /// is in it.
    pub fn context(&self) -> Context {
        let mut fields = Fields::default();
        for (name, value) in self.fields() {
            fields.set(name, value.to_owned());
        }
        fields.extract()
    }

    /// The fields that have a value, by their W3C names: what goes into message
    /// attributes.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            (TRACEPARENT, &self.traceparent),
            (TRACESTATE, &self.tracestate),
            (BAGGAGE, &self.baggage),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Builds a carrier from named fields, for example from message attributes;
    /// unknown names are ignored.
    pub fn from_fields<'name, 'value>(
        fields: impl IntoIterator<Item = (&'name str, &'value str)>,
    ) -> Self {
        let mut carrier = Self::default();
        for (name, value) in fields {
            match name {
                TRACEPARENT => carrier.traceparent = Some(value.to_owned()),
                TRACESTATE => carrier.tracestate = Some(value.to_owned()),
                BAGGAGE => carrier.baggage = Some(value.to_owned()),
                _ => {}
            }
        }
        carrier
    }
}
