//! A trace and its spans as readers see them, while the store is locked for reading.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status, TracesData, span,
};
use prost::Message;

use super::body::{self, Attribute, StoredValue, Text};
use super::sources::{Source, Sources};
use super::strings::Strings;
use super::trace::{Record, Trace};
use crate::model::{SpanId, TraceId};

#[derive(Clone, Copy)]
pub(crate) struct TraceView<'a> {
    pub(crate) id: TraceId,
    pub(crate) trace: &'a Trace,
    pub(super) strings: &'a Strings,
    pub(super) sources: &'a Sources,
}

#[derive(Clone, Copy)]
pub(crate) struct SpanView<'a> {
    record: &'a Record,
    strings: &'a Strings,
    sources: &'a Sources,
}

/// An attribute's value as far as a search compares it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ValueView<'a> {
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// Arrays, maps, bytes, nothing.
    Other,
}

impl<'a> TraceView<'a> {
    pub(crate) fn spans(self) -> impl Iterator<Item = SpanView<'a>> {
        self.trace.spans.iter().map(move |record| self.span(record))
    }

    pub(crate) fn root(self) -> Option<SpanView<'a>> {
        self.trace.root().map(|record| self.span(record))
    }

    fn span(self, record: &'a Record) -> SpanView<'a> {
        SpanView {
            record,
            strings: self.strings,
            sources: self.sources,
        }
    }

    /// The trace as OTLP, grouped by resource and scope, each in order of first arrival.
    pub(crate) fn to_otlp(self) -> TracesData {
        let mut resources: Vec<(&[u8], ResourceSpans)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for span in self.spans() {
            let &mut (resource, scope) = places.entry(span.record.source).or_insert_with(|| {
                let source = span.source();
                let resource = resources
                    .iter()
                    .position(|(key, _)| *key == source.resource_key())
                    .unwrap_or_else(|| {
                        resources.push((source.resource_key(), source.resource.clone()));
                        resources.len() - 1
                    });
                let scopes: &mut Vec<ScopeSpans> = &mut resources[resource].1.scope_spans;
                scopes.push(source.scope.clone());
                (resource, scopes.len() - 1)
            });
            let spans = &mut resources[resource].1.scope_spans[scope].spans;
            spans.push(span.to_otlp(self.id));
        }
        TracesData {
            resource_spans: resources.into_iter().map(|(_, spans)| spans).collect(),
        }
    }
}

impl<'a> SpanView<'a> {
    pub(crate) fn id(self) -> SpanId {
        SpanId::from_number(self.record.id).expect("only spans with a valid id are stored")
    }

    pub(crate) fn name(self) -> &'a str {
        self.strings.get(self.record.name)
    }

    pub(crate) fn service(self) -> &'a str {
        &self.source().service
    }

    pub(crate) fn start(self) -> u64 {
        self.record.start
    }

    pub(crate) fn duration(self) -> u64 {
        self.record.end.saturating_sub(self.record.start)
    }

    /// OTLP's number: 0 unset, 1 ok, 2 error.
    pub(crate) fn status(self) -> u8 {
        self.record.status
    }

    pub(crate) fn is_error(self) -> bool {
        self.record.status == 2
    }

    /// OTLP's number: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub(crate) fn kind(self) -> u8 {
        self.record.kind
    }

    pub(crate) fn status_message(self) -> &'a str {
        let body = body::decode(&self.record.body, self.record.start);
        body.status_message
            .map_or("", |text| text.resolve(self.strings))
    }

    pub(crate) fn attribute(self, key: &str) -> Option<ValueView<'a>> {
        let key = self.strings.find(key)?;
        body::attributes(&self.record.body)
            .find(|(candidate, _)| *candidate == key)
            .map(|(_, value)| self.view(value))
    }

    pub(crate) fn resource_attribute(self, key: &str) -> Option<ValueView<'a>> {
        self.resource_attributes()
            .find(|(candidate, _)| *candidate == key)
            .map(|(_, value)| value)
    }

    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'a str, ValueView<'a>)> {
        body::attributes(&self.record.body)
            .map(move |(key, value)| (self.strings.get(key), self.view(value)))
    }

    pub(crate) fn resource_attributes(self) -> impl Iterator<Item = (&'a str, ValueView<'a>)> {
        let attributes = self.source().resource_attributes();
        attributes
            .iter()
            .map(|attribute| (attribute.key.as_str(), view_of(attribute)))
    }

    fn source(self) -> &'a Source {
        self.sources.get(self.record.source)
    }

    fn view(self, value: StoredValue<'a>) -> ValueView<'a> {
        match value {
            StoredValue::Text(text) => ValueView::Text(text.resolve(self.strings)),
            StoredValue::Bool(value) => ValueView::Bool(value),
            StoredValue::Int(value) => ValueView::Int(value),
            StoredValue::Double(value) => ValueView::Double(value),
            StoredValue::Empty | StoredValue::Encoded(_) => ValueView::Other,
        }
    }

    fn to_otlp(self, trace_id: TraceId) -> Span {
        let record = self.record;
        let body = body::decode(&record.body, record.start);
        let text = |text: Option<Text<'a>>| {
            text.map_or_else(String::new, |text| text.resolve(self.strings).to_owned())
        };
        Span {
            trace_id: trace_id.to_bytes().to_vec(),
            span_id: record.id.to_be_bytes().to_vec(),
            trace_state: text(body.trace_state),
            parent_span_id: match record.parent {
                0 => Vec::new(),
                parent => parent.to_be_bytes().to_vec(),
            },
            flags: record.flags,
            name: self.name().to_owned(),
            kind: record.kind.into(),
            start_time_unix_nano: record.start,
            end_time_unix_nano: record.end,
            attributes: self.key_values(&body.attributes),
            dropped_attributes_count: body.dropped_attributes,
            events: body
                .events
                .iter()
                .map(|event| span::Event {
                    time_unix_nano: event.time,
                    name: self.strings.get(event.name).to_owned(),
                    attributes: self.key_values(&event.attributes),
                    dropped_attributes_count: event.dropped_attributes,
                })
                .collect(),
            dropped_events_count: body.dropped_events,
            links: body
                .links
                .iter()
                .map(|link| span::Link {
                    trace_id: link.trace_id.to_vec(),
                    span_id: link.span_id.to_vec(),
                    trace_state: text(Some(link.trace_state)),
                    attributes: self.key_values(&link.attributes),
                    dropped_attributes_count: link.dropped_attributes,
                    flags: link.flags,
                })
                .collect(),
            dropped_links_count: body.dropped_links,
            status: body.has_status.then(|| Status {
                message: text(body.status_message),
                code: record.status.into(),
            }),
        }
    }

    fn key_values(self, attributes: &[Attribute<'a>]) -> Vec<KeyValue> {
        attributes
            .iter()
            .map(|(key, value)| KeyValue {
                key: self.strings.get(*key).to_owned(),
                value: Some(self.any_value(*value)),
                ..KeyValue::default()
            })
            .collect()
    }

    fn any_value(self, value: StoredValue<'a>) -> AnyValue {
        let value = match value {
            StoredValue::Empty => None,
            StoredValue::Text(text) => {
                Some(Value::StringValue(text.resolve(self.strings).to_owned()))
            }
            StoredValue::Bool(value) => Some(Value::BoolValue(value)),
            StoredValue::Int(value) => Some(Value::IntValue(value)),
            StoredValue::Double(value) => Some(Value::DoubleValue(value)),
            StoredValue::Encoded(bytes) => return AnyValue::decode(bytes).unwrap_or_default(),
        };
        AnyValue { value }
    }
}

fn view_of(attribute: &KeyValue) -> ValueView<'_> {
    match attribute.value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => ValueView::Text(text),
        Some(Value::BoolValue(value)) => ValueView::Bool(*value),
        Some(Value::IntValue(value)) => ValueView::Int(*value),
        Some(Value::DoubleValue(value)) => ValueView::Double(*value),
        _ => ValueView::Other,
    }
}
