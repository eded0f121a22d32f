use http::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    baggage::BaggageExt as _,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use proptest::prelude::*;

use super::{TraceCarrier, extract, inject, install};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().expect("a header value"));
    }
    headers
}

fn context() -> Context {
    Context::new()
        .with_remote_span_context(SpanContext::new(
            TraceId::from(7),
            SpanId::from(9),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ))
        .with_baggage([
            KeyValue::new("tenant.id", "acme"),
            KeyValue::new("user", "jo"),
        ])
}

#[test]
fn what_is_injected_is_extracted_again() {
    install();
    let mut headers = HeaderMap::new();
    inject(&context(), &mut headers);
    let extracted = extract(&headers);
    assert_eq!(extracted.span().span_context().trace_id(), TraceId::from(7));
    assert!(extracted.span().span_context().is_sampled());
    assert!(extracted.span().span_context().is_remote());
    assert_eq!(
        extracted.baggage().get("user").map(|v| v.as_str()),
        Some("jo")
    );
}

#[test]
fn an_unsampled_caller_stays_unsampled() {
    install();
    let extracted = extract(&headers(&[(
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
    )]));
    assert!(extracted.span().span_context().is_valid());
    assert!(!extracted.span().span_context().is_sampled());
}

#[test]
fn injecting_replaces_a_forwarded_header() {
    install();
    let mut headers = headers(&[
        ("traceparent", PARENT),
        ("traceparent", PARENT),
        ("baggage", "a=b"),
    ]);
    inject(&Context::new(), &mut headers);
    assert!(headers.is_empty(), "{headers:?}");
}

#[test]
fn an_empty_tracestate_is_not_sent() {
    install();
    let mut headers = HeaderMap::new();
    inject(&context(), &mut headers);
    assert!(!headers.contains_key("tracestate"));
}

#[test]
fn a_repeated_traceparent_is_ignored() {
    install();
    let extracted = extract(&headers(&[
        ("traceparent", PARENT),
        ("traceparent", PARENT),
    ]));
    assert!(!extracted.span().span_context().is_valid());
}

#[test]
fn repeated_baggage_headers_are_joined() {
    install();
    let extracted = extract(&headers(&[("baggage", "a=1"), ("baggage", "b=2")]));
    assert_eq!(extracted.baggage().len(), 2);
}

#[test]
fn oversized_fields_are_dropped_and_the_rest_is_kept() {
    install();
    let long = format!("a={}", "x".repeat(9000));
    let state = format!("v={}", "y".repeat(600));
    let extracted = extract(&headers(&[
        ("traceparent", PARENT),
        ("tracestate", &state),
        ("baggage", &long),
    ]));
    assert!(extracted.span().span_context().is_valid());
    assert_eq!(extracted.span().span_context().trace_state().header(), "");
    assert!(extracted.baggage().is_empty());
}

#[test]
fn malformed_baggage_entries_are_dropped_and_the_others_kept() {
    install();
    let extracted = extract(&headers(&[("baggage", "a=1,nonsense,b=%zz,=,c=3;meta,,d")]));
    let value = |key| extracted.baggage().get(key).map(|value| value.as_str());
    assert_eq!((value("a"), value("c")), (Some("1"), Some("3")));
    assert_eq!(extracted.baggage().len(), 2);
}

#[test]
fn of_many_baggage_entries_64_are_kept() {
    install();
    let many = (0..100)
        .map(|n| format!("k{n}=v"))
        .collect::<Vec<_>>()
        .join(",");
    let extracted = extract(&headers(&[("traceparent", PARENT), ("baggage", &many)]));
    assert!(extracted.span().span_context().is_valid());
    assert_eq!(extracted.baggage().len(), 64);
}

#[test]
fn a_carrier_keeps_the_tenant_and_no_other_baggage() {
    install();
    let carrier = TraceCarrier::from_context(&context());
    assert_eq!(carrier.baggage.as_deref(), Some("tenant.id=acme"));
    assert_eq!(carrier.tracestate, None);
    let restored = carrier.context();
    assert_eq!(restored.span().span_context().span_id(), SpanId::from(9));
    assert!(restored.span().span_context().is_remote());
}

#[test]
fn a_carrier_survives_json_and_named_fields() {
    install();
    let carrier = TraceCarrier::from_context(&context());
    let json = serde_json::to_string(&carrier).expect("serializes");
    assert_eq!(
        serde_json::from_str::<TraceCarrier>(&json).expect("parses"),
        carrier
    );
    assert_eq!(TraceCarrier::from_fields(carrier.fields()), carrier);
}

#[test]
fn nothing_captured_is_an_empty_context() {
    install();
    assert_eq!(
        TraceCarrier::from_context(&Context::new()),
        TraceCarrier::default()
    );
    assert!(!TraceCarrier::default().context().has_active_span());
}

proptest! {
    /// Whatever a stranger sends, reading it neither panics nor yields a broken parent.
    #[test]
    fn any_header_bytes_are_survived(
        traceparent in proptest::collection::vec(0x20u8..=0xff, 0..120),
        tracestate in proptest::collection::vec(0x20u8..=0xff, 0..120),
        baggage in proptest::collection::vec(0x20u8..=0xff, 0..300),
    ) {
        install();
        let mut headers = HeaderMap::new();
        for (name, bytes) in [("traceparent", traceparent), ("tracestate", tracestate), ("baggage", baggage)] {
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                headers.insert(name, value);
            }
        }
        let extracted = extract(&headers);
        prop_assert!(!extracted.has_active_span() || extracted.span().span_context().is_valid());
    }
}
