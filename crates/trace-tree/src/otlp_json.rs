//! Reading spans from JSON: OTLP/JSON and what Tempo's trace API answers.
//!
//! The two differ in their envelope (`resourceSpans`, `batches`, `trace`) and in how
//! they write ids (hexadecimal in OTLP, base64 in Tempo), which their length tells.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::{Attributes, Event, Kind, Link, Span, Status};

mod field;

use field::At;

/// Why a text could not be read as a trace.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not JSON at all; the source says where.
    #[error("the text is not JSON")]
    Json(#[source] serde_json::Error),
    /// JSON of another kind, such as an error answer.
    #[error("no trace in this JSON: expected `resourceSpans`, `batches` or `trace`, found {found}")]
    NotATrace {
        /// The keys that are there, or the kind of value.
        found: String,
    },
    /// A field that is missing or wrong.
    #[error("{at}: {problem}")]
    Field {
        /// The path to it: `resourceSpans[0].scopeSpans[0].spans[3].traceId`.
        at: String,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It must be there and is not.
    #[error("is missing")]
    Missing,
    /// It is of another kind.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What it should be.
        expected: &'static str,
        /// What it is, shortened.
        found: String,
    },
}

/// Reads all spans of an OTLP/JSON or Tempo trace.
///
/// A trace without spans, which Tempo answers for an unknown id, is an empty list.
///
/// ```
/// # fn main() -> Result<(), trace_tree::otlp_json::ParseError> {
/// let spans = trace_tree::otlp_json::parse(
///     r#"{"resourceSpans": [{
///         "resource": {"attributes": [
///             {"key": "service.name", "value": {"stringValue": "orders"}}]},
///         "scopeSpans": [{"spans": [{
///             "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
///             "spanId": "00f067aa0ba902b7",
///             "name": "POST /checkout",
///             "kind": "SPAN_KIND_SERVER",
///             "startTimeUnixNano": "1000", "endTimeUnixNano": "2000"}]}]}]}"#,
/// )?;
/// assert_eq!(&*spans[0].service, "orders");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When the text is not JSON, is no trace, or has a field that cannot be read; the
/// error names the field.
pub fn parse(text: &str) -> Result<Vec<Span>, ParseError> {
    parse_slice(text.as_bytes())
}

/// [`parse`] for bytes as they came.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_slice(bytes: &[u8]) -> Result<Vec<Span>, ParseError> {
    let json: Json = serde_json::from_slice(bytes).map_err(ParseError::Json)?;
    parse_json(&json)
}

/// [`parse`] for JSON that is already read.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_json(json: &Json) -> Result<Vec<Span>, ParseError> {
    let root = At::root(json);
    let mut spans = Vec::new();
    let trace = root.get("trace");
    let envelope = trace.as_ref().unwrap_or(&root);
    let mut known = trace.is_some();
    for key in ["resourceSpans", "batches"] {
        if let Some(batches) = envelope.get(key) {
            known = true;
            for index in 0..batches.array()?.len() {
                batches
                    .item(index)
                    .map_or(Ok(()), |batch| read_batch(&batch, &mut spans))?;
            }
        }
    }
    if known || is_empty_answer(json) {
        Ok(spans)
    } else {
        Err(ParseError::NotATrace { found: found(json) })
    }
}

/// An answer without the trace in it: protobuf's JSON leaves out what is empty.
fn is_empty_answer(json: &Json) -> bool {
    json.as_object().is_some_and(|object| {
        object
            .keys()
            .all(|key| matches!(key.as_str(), "trace" | "metrics" | "status"))
    })
}

fn found(json: &Json) -> String {
    match json.as_object() {
        Some(object) => {
            let keys: Vec<_> = object
                .keys()
                .take(5)
                .map(|key| format!("`{key}`"))
                .collect();
            keys.join(", ")
        }
        None => field::describe(json),
    }
}

fn read_batch(batch: &At<'_>, spans: &mut Vec<Span>) -> Result<(), ParseError> {
    let resource = match batch.get("resource") {
        Some(resource) => attributes(&resource)?,
        None => Attributes::default(),
    };
    let service: Arc<str> = resource.text("service.name").unwrap_or_default().into();
    let resource = Arc::new(resource);
    for key in ["scopeSpans", "instrumentationLibrarySpans"] {
        let Some(scopes) = batch.get(key) else {
            continue;
        };
        for index in 0..scopes.array()?.len() {
            let Some(scope) = scopes.item(index) else {
                continue;
            };
            let Some(list) = scope.get("spans") else {
                continue;
            };
            for index in 0..list.array()?.len() {
                if let Some(span) = list.item(index) {
                    let mut span = read_span(&span)?;
                    span.service = Arc::clone(&service);
                    span.resource = Arc::clone(&resource);
                    spans.push(span);
                }
            }
        }
    }
    Ok(())
}

fn read_span(at: &At<'_>) -> Result<Span, ParseError> {
    let trace_id = at.required("traceId")?.trace_id()?;
    let span_id = at.required("spanId")?.span_id()?;
    let mut span = Span::new(trace_id, span_id, at.text("name")?.unwrap_or_default());
    span.parent_span_id = match at.get("parentSpanId") {
        Some(parent) if !parent.is_empty_text() => {
            Some(parent.span_id()?).filter(|id| !id.is_zero())
        }
        _ => None,
    };
    if let Some(kind) = at.get("kind") {
        span.kind = read_kind(&kind)?;
    }
    span.start_unix_nano = at.unsigned("startTimeUnixNano")?;
    span.end_unix_nano = at.unsigned("endTimeUnixNano")?;
    if let Some(status) = at.get("status") {
        span.status = read_status(&status)?;
    }
    span.attributes = attributes(at)?;
    span.events = at.each("events", |event| {
        Ok(Event {
            time_unix_nano: event.unsigned("timeUnixNano")?,
            name: event.text("name")?.unwrap_or_default().to_owned(),
            attributes: attributes(event)?,
        })
    })?;
    span.links = at.each("links", |link| {
        Ok(Link {
            trace_id: link.required("traceId")?.trace_id()?,
            span_id: link.required("spanId")?.span_id()?,
            attributes: attributes(link)?,
        })
    })?;
    span.trace_state = at
        .text("traceState")?
        .filter(|state| !state.is_empty())
        .map(str::to_owned);
    span.flags = u32::try_from(at.unsigned("flags")?).unwrap_or_default();
    Ok(span)
}

fn read_kind(at: &At<'_>) -> Result<Kind, ParseError> {
    // A kind that a later version of the protocol may add is no reason to lose a trace.
    let kind = match at.word_or_number()? {
        field::Word::Number(number) => match number {
            1 => Kind::Internal,
            2 => Kind::Server,
            3 => Kind::Client,
            4 => Kind::Producer,
            5 => Kind::Consumer,
            _ => Kind::Unspecified,
        },
        field::Word::Text(word) => match word.strip_prefix("SPAN_KIND_").unwrap_or(word) {
            "INTERNAL" => Kind::Internal,
            "SERVER" => Kind::Server,
            "CLIENT" => Kind::Client,
            "PRODUCER" => Kind::Producer,
            "CONSUMER" => Kind::Consumer,
            "UNSPECIFIED" | "" => Kind::Unspecified,
            _ => return Err(at.expected("a span kind such as SPAN_KIND_SERVER or 2")),
        },
    };
    Ok(kind)
}

fn read_status(at: &At<'_>) -> Result<Status, ParseError> {
    let message = at.text("message")?.unwrap_or_default();
    let Some(code) = at.get("code") else {
        return Ok(Status::Unset);
    };
    match code.word_or_number()? {
        field::Word::Number(0) | field::Word::Text("STATUS_CODE_UNSET" | "") => Ok(Status::Unset),
        field::Word::Number(1) | field::Word::Text("STATUS_CODE_OK") => Ok(Status::Ok),
        field::Word::Number(2) | field::Word::Text("STATUS_CODE_ERROR") => {
            Ok(Status::error(message))
        }
        _ => Err(code.expected("a status code such as STATUS_CODE_ERROR or 2")),
    }
}

fn attributes(at: &At<'_>) -> Result<Attributes, ParseError> {
    at.attributes("attributes")
}
