//! The SDK's spans as the neutral spans of `trace-tree`.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::{Array, KeyValue, Value as OtelValue, trace::SpanKind, trace::Status};
use opentelemetry_sdk::trace::SpanData;
use trace_tree::{Attributes, Event, Kind, Link, Span, SpanId, TraceId, Value};

/// OTLP's flags: it is known whether the parent was remote, and it was.
const PARENT_KNOWN: u32 = 0x100;
const PARENT_REMOTE: u32 = 0x200;

/// Converts one ended span. The kit has no resource, so `service` is empty.
pub(super) fn span(data: &SpanData) -> Span {
    let context = &data.span_context;
    let mut span = Span::new(
        TraceId::from_bytes(context.trace_id().to_bytes()),
        SpanId::from_bytes(context.span_id().to_bytes()),
        data.name.clone(),
    );
    let parent = SpanId::from_bytes(data.parent_span_id.to_bytes());
    span.parent_span_id = (!parent.is_zero()).then_some(parent);
    span.kind = kind(&data.span_kind);
    span.start_unix_nano = nanos(data.start_time);
    span.end_unix_nano = nanos(data.end_time);
    span.status = match &data.status {
        Status::Unset => trace_tree::Status::Unset,
        Status::Ok => trace_tree::Status::Ok,
        Status::Error { description } => trace_tree::Status::error(description.clone()),
    };
    span.attributes = attributes(&data.attributes);
    span.events = data
        .events
        .iter()
        .map(|event| Event {
            time_unix_nano: nanos(event.timestamp),
            name: event.name.to_string(),
            attributes: attributes(&event.attributes),
        })
        .collect();
    span.links = data
        .links
        .iter()
        .map(|link| Link {
            trace_id: TraceId::from_bytes(link.span_context.trace_id().to_bytes()),
            span_id: SpanId::from_bytes(link.span_context.span_id().to_bytes()),
            attributes: attributes(&link.attributes),
        })
        .collect();
    span.service = Arc::default();
    let state = context.trace_state().header();
    span.trace_state = (!state.is_empty()).then_some(state);
    span.flags = u32::from(context.trace_flags().to_u8()) | PARENT_KNOWN;
    if data.parent_span_is_remote {
        span.flags |= PARENT_REMOTE;
    }
    span
}

fn kind(kind: &SpanKind) -> Kind {
    match kind {
        SpanKind::Internal => Kind::Internal,
        SpanKind::Client => Kind::Client,
        SpanKind::Server => Kind::Server,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
    }
}

/// Nanoseconds since 1970; the years until 2554 fit.
fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}

fn attributes(attributes: &[KeyValue]) -> Attributes {
    let mut converted = Attributes::default();
    for attribute in attributes {
        converted.insert(attribute.key.as_str(), value(&attribute.value));
    }
    converted
}

fn value(value: &OtelValue) -> Value {
    fn texts<T: ToString>(values: &[T]) -> Vec<Value> {
        values
            .iter()
            .map(|text| Value::Str(text.to_string()))
            .collect()
    }
    match value {
        OtelValue::Bool(value) => Value::Bool(*value),
        OtelValue::I64(value) => Value::Int(*value),
        OtelValue::F64(value) => Value::Double(*value),
        OtelValue::String(text) => Value::Str(text.as_str().to_owned()),
        OtelValue::Array(array) => Value::Array(match array {
            Array::Bool(values) => values.iter().copied().map(Value::Bool).collect(),
            Array::I64(values) => values.iter().copied().map(Value::Int).collect(),
            Array::F64(values) => values.iter().copied().map(Value::Double).collect(),
            Array::String(values) => texts(values),
            other => vec![Value::Str(other.to_string())],
        }),
        other => Value::Str(other.to_string()),
    }
}
