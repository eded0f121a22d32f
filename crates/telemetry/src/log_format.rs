//! Log lines for stderr: one JSON object per event, with the ids of the current span.
//!
//! The ids come from the OpenTelemetry context, so that a line written inside an edge's
//! span, which `tracing` knows nothing of, names the right span too.

use std::fmt;

use opentelemetry::{Context, trace::TraceContextExt as _};
use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Writes `{"timestamp":…,"level":…,"target":…,"message":…,"trace_id":…,"span_id":…,…}`.
#[derive(Debug)]
pub(crate) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = Value::Object(line(event));
        writeln!(writer, "{line}")
    }
}

/// Formats no fields of spans: the lines do not show them, and formatting them for every
/// span costs as much as the span itself.
#[derive(Debug)]
pub(crate) struct NoSpanFields;

impl<'writer> FormatFields<'writer> for NoSpanFields {
    fn format_fields<R: RecordFields>(&self, _: Writer<'writer>, _: R) -> fmt::Result {
        Ok(())
    }
}

fn line(event: &Event<'_>) -> Map<String, Value> {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let metadata = event.metadata();
    // Records of the `log` crate all have the target "log" and bring their own along.
    let target = fields.0.remove("log.target");
    fields.0.retain(|name, _| !name.starts_with("log."));
    let mut line = Map::new();
    let now = OffsetDateTime::now_utc().format(&Rfc3339);
    line.insert("timestamp".into(), now.unwrap_or_default().into());
    line.insert("level".into(), metadata.level().as_str().into());
    line.insert(
        "target".into(),
        target.unwrap_or_else(|| metadata.target().into()),
    );
    Context::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        if ids.is_valid() {
            line.insert("trace_id".into(), ids.trace_id().to_string().into());
            line.insert("span_id".into(), ids.span_id().to_string().into());
        }
    });
    for (name, value) in fields.0 {
        // A field that is called like one of ours must not hide it.
        let name = match name.as_str() {
            "timestamp" | "level" | "target" | "trace_id" | "span_id" => format!("field.{name}"),
            _ => name,
        };
        line.insert(name, value);
    }
    line
}

/// The fields of one event as JSON values.
#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    /// The whole chain: an error's own text rarely says what to mend.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let chain: Vec<_> = std::iter::successors(Some(value), |error| (*error).source())
            .map(ToString::to_string)
            .collect();
        self.put(field, chain.join(": "));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Self;
        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn written(act: impl FnOnce()) -> Value {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .event_format(JsonLines)
            .with_writer(written.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, act);
        let bytes = written.0.lock().unwrap().clone();
        serde_json::from_slice(&bytes).expect("one JSON object")
    }

    #[test]
    fn a_line_has_level_target_message_and_typed_fields() {
        let line =
            written(|| tracing::warn!(tenant = "acme", left = 3_u64, late = true, "low \"stock\""));
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "low \"stock\"");
        assert_eq!(line["tenant"], "acme");
        assert_eq!(line["left"], 3);
        assert_eq!(line["late"], true);
        assert_eq!(line["target"], module_path!());
        assert!(line.get("trace_id").is_none());
    }

    #[test]
    fn a_line_inside_an_opentelemetry_span_names_its_ids() {
        let context = Context::new().with_remote_span_context(SpanContext::new(
            TraceId::from(0xabc),
            SpanId::from(0xdef),
            TraceFlags::NOT_SAMPLED,
            true,
            TraceState::default(),
        ));
        let _active = context.attach();
        let line = written(|| tracing::info!("here"));
        assert_eq!(line["trace_id"], "00000000000000000000000000000abc");
        assert_eq!(line["span_id"], "0000000000000def");
    }

    #[test]
    fn a_field_cannot_pretend_to_be_a_trace_id() {
        let line = written(|| tracing::info!(trace_id = "forged", "here"));
        assert_eq!(line["field.trace_id"], "forged");
        assert!(line.get("trace_id").is_none());
    }

    #[test]
    fn an_error_field_shows_the_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("charge failed")]
        struct Charge(#[source] io::Error);
        let error = Charge(io::Error::other("connection reset"));
        let line = written(|| {
            tracing::error!(error = &error as &dyn std::error::Error, "checkout failed")
        });
        assert_eq!(line["error"], "charge failed: connection reset");
    }
}
