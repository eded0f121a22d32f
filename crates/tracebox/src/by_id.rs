//! `/api/traces/{id}` and `/api/v2/traces/{id}`, in JSON and in protobuf.
//! An unknown trace is a 404 for the first and an empty trace for the second.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, TracesData};
use prost::Message;
use serde::Serialize;

use crate::json::JsonList;
use crate::model::TraceId;
use crate::query_api::BadRequest;
use crate::search_request::{Parameters, TimeRange};
use crate::server::busy;
use crate::store::Store;

pub(crate) async fn v1(
    State(store): State<Arc<Store>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, BadRequest> {
    let id = parse(&id, query.as_deref())?;
    let protobuf = wants_protobuf(&headers);
    Ok(busy(move || match store.trace(id) {
        None => (StatusCode::NOT_FOUND, "trace not found").into_response(),
        // Tempo's `Trace` has the wire format of OTLP's `TracesData`.
        Some(trace) if protobuf => protobuf_answer(&trace),
        Some(trace) => json_answer(&TraceV1 {
            batches: JsonList(&trace.resource_spans),
        }),
    })
    .await)
}

pub(crate) async fn v2(
    State(store): State<Arc<Store>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, BadRequest> {
    let id = parse(&id, query.as_deref())?;
    let protobuf = wants_protobuf(&headers);
    Ok(busy(move || {
        let trace = store.trace(id).unwrap_or_default();
        if protobuf {
            return protobuf_answer(&TraceByIdResponse {
                trace: Some(trace),
                metrics: Some(TraceByIdMetrics {}),
            });
        }
        json_answer(&AnswerV2 {
            trace: TraceV2 {
                resource_spans: (!trace.resource_spans.is_empty())
                    .then(|| JsonList(&trace.resource_spans)),
            },
            metrics: Empty {},
        })
    })
    .await)
}

#[derive(Serialize)]
struct TraceV1<'a> {
    batches: JsonList<'a, ResourceSpans>,
}

#[derive(Serialize)]
struct AnswerV2<'a> {
    trace: TraceV2<'a>,
    metrics: Empty,
}

#[derive(Serialize)]
struct TraceV2<'a> {
    #[serde(rename = "resourceSpans", skip_serializing_if = "Option::is_none")]
    resource_spans: Option<JsonList<'a, ResourceSpans>>,
}

#[derive(Serialize)]
struct Empty {}

/// Tempo's `TraceByIDResponse`.
#[derive(Clone, PartialEq, Message)]
struct TraceByIdResponse {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
    #[prost(message, optional, tag = "2")]
    metrics: Option<TraceByIdMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct TraceByIdMetrics {}

/// The time range only narrows where Tempo looks; here it is checked and not needed.
fn parse(id: &str, query: Option<&str>) -> Result<TraceId, BadRequest> {
    let id = TraceId::parse(id).map_err(|error| BadRequest(error.to_string()))?;
    TimeRange::of(&Parameters::parse(query)?)?;
    Ok(id)
}

fn wants_protobuf(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter();
    accepted.any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.contains("application/protobuf"))
    })
}

fn protobuf_answer(message: &impl Message) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/protobuf")];
    (content_type, message.encode_to_vec()).into_response()
}

fn json_answer(answer: &impl Serialize) -> Response {
    match serde_json::to_vec(answer) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
