//! Tempo's JSON of a trace: protobuf's own mapping, so ids are base64, 64-bit numbers
//! are strings, enumerations are names, and what is empty is left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Shows a protobuf message in Tempo's JSON.
pub(crate) struct Json<'a, T>(&'a T);

/// Shows a list of protobuf messages in Tempo's JSON.
pub(crate) struct JsonList<'a, T>(pub(crate) &'a [T]);

pub(crate) trait Message {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error>;
}

impl<T: Message> Serialize for Json<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = Object(serializer.serialize_map(None)?);
        self.0.fields(&mut object)?;
        object.0.end()
    }
}

impl<T: Message> Serialize for JsonList<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Json))
    }
}

impl Message for ResourceSpans {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        if let Some(resource) = &self.resource {
            object.always("resource", &Json(resource))?;
        }
        object.list("scopeSpans", &self.scope_spans)?;
        object.text("schemaUrl", &self.schema_url)?;
        Ok(())
    }
}

impl Message for Resource {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        object.list("attributes", &self.attributes)?;
        object.count("droppedAttributesCount", self.dropped_attributes_count)?;
        Ok(())
    }
}

impl Message for ScopeSpans {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        if let Some(scope) = &self.scope {
            object.always("scope", &Json(scope))?;
        }
        object.list("spans", &self.spans)?;
        object.text("schemaUrl", &self.schema_url)?;
        Ok(())
    }
}

impl Message for InstrumentationScope {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        object.text("name", &self.name)?;
        object.text("version", &self.version)?;
        object.list("attributes", &self.attributes)?;
        object.count("droppedAttributesCount", self.dropped_attributes_count)?;
        Ok(())
    }
}

impl Message for Span {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        object.bytes("traceId", &self.trace_id)?;
        object.bytes("spanId", &self.span_id)?;
        object.text("traceState", &self.trace_state)?;
        object.bytes("parentSpanId", &self.parent_span_id)?;
        object.count("flags", self.flags)?;
        object.text("name", &self.name)?;
        if self.kind != 0
            && let Ok(kind) = SpanKind::try_from(self.kind)
        {
            object.always("kind", kind.as_str_name())?;
        }
        object.number("startTimeUnixNano", self.start_time_unix_nano)?;
        object.number("endTimeUnixNano", self.end_time_unix_nano)?;
        object.list("attributes", &self.attributes)?;
        object.count("droppedAttributesCount", self.dropped_attributes_count)?;
        object.list("events", &self.events)?;
        object.count("droppedEventsCount", self.dropped_events_count)?;
        object.list("links", &self.links)?;
        object.count("droppedLinksCount", self.dropped_links_count)?;
        if let Some(status) = &self.status {
            object.always("status", &Json(status))?;
        }
        Ok(())
    }
}

impl Message for Event {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        object.number("timeUnixNano", self.time_unix_nano)?;
        object.text("name", &self.name)?;
        object.list("attributes", &self.attributes)?;
        object.count("droppedAttributesCount", self.dropped_attributes_count)?;
        Ok(())
    }
}

impl Message for Link {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        object.bytes("traceId", &self.trace_id)?;
        object.bytes("spanId", &self.span_id)?;
        object.text("traceState", &self.trace_state)?;
        object.list("attributes", &self.attributes)?;
        object.count("droppedAttributesCount", self.dropped_attributes_count)?;
        object.count("flags", self.flags)?;
        Ok(())
    }
}

impl Message for Status {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        object.text("message", &self.message)?;
        if self.code != 0
            && let Ok(code) = StatusCode::try_from(self.code)
        {
            object.always("code", code.as_str_name())?;
        }
        Ok(())
    }
}

impl Message for KeyValue {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        object.always("key", self.key.as_str())?;
        if let Some(value) = &self.value {
            object.always("value", &Json(value))?;
        }
        Ok(())
    }
}

impl Message for AnyValue {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        match &self.value {
            None | Some(Value::StringValueStrindex(_)) => {}
            Some(Value::StringValue(text)) => object.always("stringValue", text.as_str())?,
            Some(Value::BoolValue(value)) => object.always("boolValue", value)?,
            Some(Value::IntValue(number)) => object.always("intValue", &number.to_string())?,
            Some(Value::DoubleValue(number)) => match special(*number) {
                Some(name) => object.always("doubleValue", name)?,
                None => object.always("doubleValue", number)?,
            },
            Some(Value::BytesValue(bytes)) => {
                object.always("bytesValue", &STANDARD.encode(bytes))?;
            }
            Some(Value::ArrayValue(array)) => {
                object.always("arrayValue", &Json(&Values(&array.values)))?;
            }
            Some(Value::KvlistValue(list)) => {
                object.always("kvlistValue", &Json(&Values(&list.values)))?;
            }
        }
        Ok(())
    }
}

struct Values<'a, T>(&'a [T]);

impl<T: Message> Message for Values<'_, T> {
    fn fields<M: SerializeMap>(&self, object: &mut Object<M>) -> Result<(), M::Error> {
        object.list("values", self.0)
    }
}

/// JSON has no number for these.
fn special(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number == f64::INFINITY {
        Some("Infinity")
    } else if number == f64::NEG_INFINITY {
        Some("-Infinity")
    } else {
        None
    }
}

/// A JSON object that leaves empty fields out.
pub(crate) struct Object<M>(M);

impl<M: SerializeMap> Object<M> {
    fn always(&mut self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<(), M::Error> {
        self.0.serialize_entry(key, value)
    }

    fn text(&mut self, key: &str, text: &str) -> Result<(), M::Error> {
        if text.is_empty() {
            return Ok(());
        }
        self.always(key, text)
    }

    fn bytes(&mut self, key: &str, bytes: &[u8]) -> Result<(), M::Error> {
        self.text(key, &STANDARD.encode(bytes))
    }

    fn count(&mut self, key: &str, count: u32) -> Result<(), M::Error> {
        if count == 0 {
            return Ok(());
        }
        self.always(key, &count)
    }

    fn number(&mut self, key: &str, number: u64) -> Result<(), M::Error> {
        if number == 0 {
            return Ok(());
        }
        self.always(key, &number.to_string())
    }

    fn list<T: Message>(&mut self, key: &str, items: &[T]) -> Result<(), M::Error> {
        if items.is_empty() {
            return Ok(());
        }
        self.always(key, &JsonList(items))
    }
}
