//! `/api/search`: the newest traces that match, in the shape of Tempo's answer.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use serde_json::{Value, json};

use crate::query::{Condition, Field, Filter, KINDS, STATUSES};
use crate::query_api::BadRequest;
use crate::search_request::SearchRequest;
use crate::server::busy;
use crate::store::{SpanView, Store, TraceView, ValueView};

pub(crate) async fn search(
    State(store): State<Arc<Store>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Answer>, BadRequest> {
    let request = SearchRequest::parse(query.as_deref())?;
    Ok(Json(busy(move || run(&store, &request)).await))
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Answer {
    traces: Vec<Found>,
    metrics: SearchMetrics,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct SearchMetrics {
    #[serde(skip_serializing_if = "is_zero")]
    inspected_traces: usize,
    completed_jobs: usize,
    total_jobs: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    #[serde(rename = "traceID")]
    trace_id: String,
    root_service_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    root_trace_name: String,
    start_time_unix_nano: String,
    #[serde(skip_serializing_if = "is_zero")]
    duration_ms: u64,
    span_set: SpanSet,
    span_sets: [SpanSet; 1],
    service_stats: BTreeMap<String, ServiceStats>,
}

#[derive(Debug, Clone, Serialize)]
struct SpanSet {
    spans: Vec<FoundSpan>,
    matched: usize,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct FoundSpan {
    #[serde(rename = "spanID")]
    span_id: String,
    /// Told only if the query asks about names, as Tempo does.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    start_time_unix_nano: String,
    duration_nanos: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Value>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceStats {
    span_count: usize,
    #[serde(skip_serializing_if = "is_zero")]
    error_count: usize,
}

/// What Tempo says while a trace has no root.
const ROOT_NOT_RECEIVED: &str = "<root span not yet received>";

fn run(store: &Store, request: &SearchRequest) -> Answer {
    let candidates = store.newest_first(|trace| {
        request.range.overlaps(trace.start, trace.end) && request.duration_fits(trace.duration())
    });
    let mut answer = Answer {
        metrics: SearchMetrics {
            completed_jobs: 1,
            total_jobs: 1,
            ..SearchMetrics::default()
        },
        ..Answer::default()
    };
    store.visit(&candidates, |trace| {
        answer.metrics.inspected_traces += 1;
        let spans = request.filter.matches(trace);
        if !spans.is_empty() {
            answer.traces.push(found(trace, &spans, request));
        }
        if answer.traces.len() < request.limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    answer
}

fn found(trace: TraceView<'_>, spans: &[SpanView<'_>], request: &SearchRequest) -> Found {
    let mut service_stats: BTreeMap<String, ServiceStats> = BTreeMap::new();
    for span in trace.spans() {
        let stats = match service_stats.get_mut(span.service()) {
            Some(stats) => stats,
            None => service_stats.entry(span.service().to_owned()).or_default(),
        };
        stats.span_count += 1;
        stats.error_count += usize::from(span.is_error());
    }
    let shown = spans.iter().take(request.spans_per_set);
    let span_set = SpanSet {
        spans: shown.map(|span| found_span(*span, request)).collect(),
        matched: spans.len(),
    };
    let root = trace.root();
    Found {
        trace_id: trace.id.trimmed(),
        root_service_name: root.map_or(ROOT_NOT_RECEIVED, SpanView::service).to_owned(),
        root_trace_name: root.map_or("", SpanView::name).to_owned(),
        start_time_unix_nano: trace.trace.start.to_string(),
        duration_ms: trace.trace.duration() / 1_000_000,
        span_set: span_set.clone(),
        span_sets: [span_set],
        service_stats,
    }
}

fn found_span(span: SpanView<'_>, request: &SearchRequest) -> FoundSpan {
    let mut name = None;
    let mut attributes: Vec<Value> = Vec::new();
    match &request.filter {
        Filter::Tags(tags) => {
            for tag in tags {
                if tag.key == "name" {
                    name = Some(span.name().to_owned());
                }
                let value =
                    (span.attribute(&tag.key)).or_else(|| span.resource_attribute(&tag.key));
                attributes.extend(value.map(|value| attribute(&tag.key, value)));
            }
        }
        Filter::TraceQl(conditions) => {
            for condition in conditions {
                if condition.field == Field::Name {
                    name = Some(span.name().to_owned());
                }
                let shown = asked_for(span, condition);
                attributes.extend(shown.filter(|shown| !attributes.contains(shown)));
            }
        }
    }
    FoundSpan {
        span_id: span.id().to_string(),
        name,
        start_time_unix_nano: span.start().to_string(),
        duration_nanos: span.duration().to_string(),
        attributes,
    }
}

/// The attribute that a condition asks about, to be shown with the span.
fn asked_for(span: SpanView<'_>, condition: &Condition) -> Option<Value> {
    let text = ValueView::Text;
    match &condition.field {
        Field::Status => Some(attribute(
            "status",
            text(STATUSES[usize::from(span.status())]),
        )),
        Field::Kind => Some(attribute("kind", text(KINDS[usize::from(span.kind())]))),
        Field::StatusMessage => Some(attribute("statusMessage", text(span.status_message()))),
        Field::Span(key) => Some(attribute(key, span.attribute(key)?)),
        Field::Resource(key) => Some(attribute(key, span.resource_attribute(key)?)),
        Field::Any(key) => {
            let value = span.attribute(key).or_else(|| span.resource_attribute(key));
            Some(attribute(key, value?))
        }
        Field::Name
        | Field::Duration
        | Field::RootName
        | Field::RootService
        | Field::TraceDuration => None,
    }
}

fn attribute(key: &str, value: ValueView<'_>) -> Value {
    let value = match value {
        ValueView::Text(text) => json!({ "stringValue": text }),
        ValueView::Bool(value) => json!({ "boolValue": value }),
        ValueView::Int(number) => json!({ "intValue": number.to_string() }),
        ValueView::Double(number) => json!({ "doubleValue": number }),
        ValueView::Other => json!({}),
    };
    json!({ "key": key, "value": value })
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}
