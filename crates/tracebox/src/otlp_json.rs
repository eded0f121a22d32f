//! OTLP/JSON as exporters really write it: 64-bit numbers as strings or numbers,
//! enumerations as numbers or names, `null` for "not set", unknown fields ignored.

use std::str::FromStr;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    self as common, ArrayValue, InstrumentationScope, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde::de::{DeserializeOwned, Error, IgnoredAny};
use serde::{Deserialize, Deserializer};

/// Reads the body of `/v1/traces`.
pub(crate) fn traces(body: &[u8]) -> Result<ExportTraceServiceRequest, serde_json::Error> {
    let request: Request = object(body)?;
    Ok(ExportTraceServiceRequest {
        resource_spans: converted(request.resource_spans),
    })
}

/// Counts the records in a body of `/v1/logs`.
pub(crate) fn log_records(body: &[u8]) -> Result<usize, serde_json::Error> {
    let request: LogsRequest = object(body)?;
    let scopes = request.resource_logs.iter().flat_map(|r| &r.scope_logs);
    Ok(scopes.map(|scope| scope.log_records.len()).sum())
}

/// Counts the data points in a body of `/v1/metrics`.
pub(crate) fn data_points(body: &[u8]) -> Result<usize, serde_json::Error> {
    let request: MetricsRequest = object(body)?;
    Ok(request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics)
        .flat_map(|metric| {
            [
                &metric.gauge,
                &metric.sum,
                &metric.histogram,
                &metric.exponential_histogram,
                &metric.summary,
            ]
        })
        .map(|points| points.data_points.len())
        .sum())
}

/// Everything OTLP sends is an object; serde alone would take an array for one.
fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        return Err(Error::custom("expected a JSON object"));
    }
    serde_json::from_slice(body)
}

/// Structs whose absent and `null` fields are the default, as protobuf's JSON has it.
/// Fields after the semicolon name the function that reads them.
macro_rules! json_shapes {
    ($($name:ident { $($plain:ident: $plain_type:ty),* $(; $($read:ident: $read_type:ty => $with:literal),*)? })*) => {$(
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct $name {
            $(#[serde(deserialize_with = "or_default")] $plain: $plain_type,)*
            $($(#[serde(deserialize_with = $with)] $read: $read_type,)*)?
        }
    )*};
}

json_shapes! {
    Request { resource_spans: Vec<ResourceSpans> }
    ResourceSpans { resource: Option<JsonResource>, scope_spans: Vec<ScopeSpans>, schema_url: String }
    JsonResource { attributes: Vec<KeyValue>; dropped_attributes_count: u32 => "number" }
    ScopeSpans { scope: Option<Scope>, spans: Vec<Span>, schema_url: String }
    Scope {
        name: String, version: String, attributes: Vec<KeyValue>;
        dropped_attributes_count: u32 => "number"
    }
    Span {
        trace_state: String, name: String, attributes: Vec<KeyValue>, events: Vec<Event>,
        links: Vec<Link>, status: Option<Status>;
        trace_id: Vec<u8> => "hex_id",
        span_id: Vec<u8> => "hex_id",
        parent_span_id: Vec<u8> => "hex_id",
        flags: u32 => "number",
        kind: i32 => "kind",
        start_time_unix_nano: u64 => "number",
        end_time_unix_nano: u64 => "number",
        dropped_attributes_count: u32 => "number",
        dropped_events_count: u32 => "number",
        dropped_links_count: u32 => "number"
    }
    Event {
        name: String, attributes: Vec<KeyValue>;
        time_unix_nano: u64 => "number",
        dropped_attributes_count: u32 => "number"
    }
    Link {
        trace_state: String, attributes: Vec<KeyValue>;
        trace_id: Vec<u8> => "hex_id",
        span_id: Vec<u8> => "hex_id",
        flags: u32 => "number",
        dropped_attributes_count: u32 => "number"
    }
    Status { message: String; code: i32 => "status_code" }
    KeyValue { key: String, value: Option<AnyValue> }
    AnyValue {
        string_value: Option<String>, bool_value: Option<bool>,
        array_value: Option<Elements>, kvlist_value: Option<Entries>,
        bytes_value: Option<String>;
        int_value: Option<i64> => "optional_number",
        double_value: Option<f64> => "double"
    }
    Elements { values: Vec<AnyValue> }
    Entries { values: Vec<KeyValue> }
    LogsRequest { resource_logs: Vec<ResourceLogs> }
    ResourceLogs { scope_logs: Vec<ScopeLogs> }
    ScopeLogs { log_records: Vec<Ignored> }
    MetricsRequest { resource_metrics: Vec<ResourceMetrics> }
    ResourceMetrics { scope_metrics: Vec<ScopeMetrics> }
    ScopeMetrics { metrics: Vec<Metric> }
    Metric {
        gauge: Points, sum: Points, histogram: Points, exponential_histogram: Points,
        summary: Points
    }
    Points { data_points: Vec<Ignored> }
}

/// An object that is only counted.
type Ignored = std::collections::HashMap<String, IgnoredAny>;

/// Integers come as numbers or, being 64 bits, as strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
}

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn optional_number<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64> + TryFrom<i64> + FromStr,
{
    let number = match Option::<Scalar>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Scalar::Unsigned(number)) => T::try_from(number).ok(),
        Some(Scalar::Signed(number)) => T::try_from(number).ok(),
        Some(Scalar::Text(text)) => text.parse().ok(),
        Some(Scalar::Float(_)) => None,
    };
    number
        .map(Some)
        .ok_or_else(|| Error::custom("expected an integer in range, as a number or a string"))
}

fn number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64> + TryFrom<i64> + FromStr + Default,
{
    Ok(optional_number(deserializer)?.unwrap_or_default())
}

fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(match Option::<Scalar>::deserialize(deserializer)? {
        None => None,
        Some(Scalar::Unsigned(number)) => Some(number as f64),
        Some(Scalar::Signed(number)) => Some(number as f64),
        Some(Scalar::Float(number)) => Some(number),
        // `NaN`, `Infinity` and `-Infinity` are strings in JSON.
        Some(Scalar::Text(text)) => Some(text.parse().map_err(Error::custom)?),
    })
}

/// OTLP/JSON writes ids as hex, unlike protobuf's JSON, which would take base64.
fn hex_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text: String = or_default(deserializer)?;
    hex::decode(text).map_err(|error| Error::custom(format!("id is not hex: {error}")))
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    enumeration(deserializer, |name| {
        SpanKind::from_str_name(name).map(i32::from)
    })
}

fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    enumeration(deserializer, |name| {
        StatusCode::from_str_name(name).map(i32::from)
    })
}

fn enumeration<'de, D: Deserializer<'de>>(
    deserializer: D,
    named: impl Fn(&str) -> Option<i32>,
) -> Result<i32, D::Error> {
    match Option::<Scalar>::deserialize(deserializer)? {
        None => Ok(0),
        Some(Scalar::Unsigned(number)) => Ok(i32::try_from(number).unwrap_or(0)),
        Some(Scalar::Signed(number)) => Ok(i32::try_from(number).unwrap_or(0)),
        Some(Scalar::Text(name)) => {
            named(&name).ok_or_else(|| Error::custom(format!("unknown name `{name}`")))
        }
        Some(Scalar::Float(_)) => Err(Error::custom("expected a number or a name")),
    }
}

fn converted<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}

impl From<ResourceSpans> for otlp::ResourceSpans {
    fn from(json: ResourceSpans) -> Self {
        Self {
            resource: json.resource.map(|resource| Resource {
                attributes: converted(resource.attributes),
                dropped_attributes_count: resource.dropped_attributes_count,
                ..Resource::default()
            }),
            scope_spans: converted(json.scope_spans),
            schema_url: json.schema_url,
        }
    }
}

impl From<ScopeSpans> for otlp::ScopeSpans {
    fn from(json: ScopeSpans) -> Self {
        Self {
            scope: json.scope.map(|scope| InstrumentationScope {
                name: scope.name,
                version: scope.version,
                attributes: converted(scope.attributes),
                dropped_attributes_count: scope.dropped_attributes_count,
            }),
            spans: converted(json.spans),
            schema_url: json.schema_url,
        }
    }
}

impl From<Span> for otlp::Span {
    fn from(json: Span) -> Self {
        Self {
            trace_id: json.trace_id,
            span_id: json.span_id,
            trace_state: json.trace_state,
            parent_span_id: json.parent_span_id,
            flags: json.flags,
            name: json.name,
            kind: json.kind,
            start_time_unix_nano: json.start_time_unix_nano,
            end_time_unix_nano: json.end_time_unix_nano,
            attributes: converted(json.attributes),
            dropped_attributes_count: json.dropped_attributes_count,
            events: converted(json.events),
            dropped_events_count: json.dropped_events_count,
            links: converted(json.links),
            dropped_links_count: json.dropped_links_count,
            status: json.status.map(|status| otlp::Status {
                message: status.message,
                code: status.code,
            }),
        }
    }
}

impl From<Event> for otlp::span::Event {
    fn from(json: Event) -> Self {
        Self {
            time_unix_nano: json.time_unix_nano,
            name: json.name,
            attributes: converted(json.attributes),
            dropped_attributes_count: json.dropped_attributes_count,
        }
    }
}

impl From<Link> for otlp::span::Link {
    fn from(json: Link) -> Self {
        Self {
            trace_id: json.trace_id,
            span_id: json.span_id,
            trace_state: json.trace_state,
            attributes: converted(json.attributes),
            dropped_attributes_count: json.dropped_attributes_count,
            flags: json.flags,
        }
    }
}

impl From<KeyValue> for common::KeyValue {
    fn from(json: KeyValue) -> Self {
        Self {
            key: json.key,
            value: json.value.map(common::AnyValue::from),
            ..Self::default()
        }
    }
}

impl From<AnyValue> for common::AnyValue {
    fn from(json: AnyValue) -> Self {
        let value = (json.string_value.map(Value::StringValue))
            .or(json.bool_value.map(Value::BoolValue))
            .or(json.int_value.map(Value::IntValue))
            .or(json.double_value.map(Value::DoubleValue))
            .or_else(|| {
                let values = converted(json.array_value?.values);
                Some(Value::ArrayValue(ArrayValue { values }))
            })
            .or_else(|| {
                let values = converted(json.kvlist_value?.values);
                Some(Value::KvlistValue(KeyValueList { values }))
            })
            .or_else(|| Some(Value::BytesValue(bytes(&json.bytes_value?))));
        Self { value }
    }
}

/// Bytes that are not base64 are kept as they were written.
fn bytes(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap_or_else(|_| text.as_bytes().to_vec())
}
