//! Reading OTLP/JSON and Tempo's JSON.

use trace_tree::{
    Kind, Status, TraceTree, Value,
    otlp_json::{ParseError, parse},
};

const OTLP: &str = r#"{"resourceSpans": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}},
                              {"key": "host.cpus", "value": {"intValue": "8"}}]},
  "scopeSpans": [{"scope": {"name": "telemetry"}, "spans": [{
    "traceId": "4BF92F3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7",
    "parentSpanId": "", "name": "POST /checkout", "kind": 2,
    "startTimeUnixNano": "1795243368000000000", "endTimeUnixNano": 1795243368120000000,
    "traceState": "a=b", "flags": 257,
    "attributes": [
      {"key": "s", "value": {"stringValue": "x"}}, {"key": "i", "value": {"intValue": 7}},
      {"key": "d", "value": {"doubleValue": 0.5}}, {"key": "n", "value": {"doubleValue": "NaN"}},
      {"key": "b", "value": {"boolValue": true}}, {"key": "y", "value": {"bytesValue": "AQI="}},
      {"key": "a", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "z"}]}}},
      {"key": "m", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": 1}}]}}},
      {"key": "e", "value": {}}, {"key": "o"}],
    "events": [{"timeUnixNano": "1795243368000000001", "name": "cache miss"}],
    "links": [{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b8"}],
    "status": {"code": 2, "message": "no"}}]}]}]}"#;

#[test]
fn a_span_of_otlp_is_read_whole() {
    let spans = parse(OTLP).expect("valid");
    let span = &spans[0];
    assert_eq!(
        span.trace_id.to_string(),
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );
    assert_eq!(span.parent_span_id, None);
    assert_eq!(span.kind, Kind::Server);
    assert_eq!(&*span.service, "orders");
    assert_eq!(span.resource.get("host.cpus"), Some(&Value::Int(8)));
    assert_eq!(span.duration().as_millis(), 120);
    assert_eq!(span.trace_state.as_deref(), Some("a=b"));
    assert_eq!(span.flags, 257);
    assert_eq!(span.status, Status::error("no"));
    assert_eq!(span.text("s"), Some("x"));
    assert_eq!(span.int("i"), Some(7));
    assert_eq!(span.attr("d").and_then(Value::as_double), Some(0.5));
    assert!(
        span.attr("n")
            .and_then(Value::as_double)
            .is_some_and(f64::is_nan)
    );
    assert_eq!(span.attr("b").and_then(Value::as_bool), Some(true));
    assert_eq!(span.attr("y"), Some(&Value::Bytes(vec![1, 2])));
    assert_eq!(
        span.attr("a").map(ToString::to_string).as_deref(),
        Some("[1, z]")
    );
    assert_eq!(
        span.attr("m").map(ToString::to_string).as_deref(),
        Some("{k: 1}")
    );
    assert_eq!(span.attr("e"), Some(&Value::Null));
    assert_eq!(span.attr("o"), Some(&Value::Null));
    assert_eq!(span.events[0].name, "cache miss");
    assert_eq!(span.links[0].span_id.to_string(), "00f067aa0ba902b8");
}

#[test]
fn tempos_envelopes_ids_and_names_are_read_too() {
    let span = r#"{"traceId": "S/kvNXezTaajzpKdDg5HNg==", "spanId": "APBnqgupArc=",
        "parentSpanId": "APBnqgupArg", "kind": "SPAN_KIND_CLIENT",
        "status": {"code": "STATUS_CODE_ERROR"}, "events": null}"#;
    let batch = format!(r#"[{{"scopeSpans": [{{"spans": [{span}]}}]}}]"#);
    let old = format!(r#"[{{"instrumentationLibrarySpans": [{{"spans": [{span}]}}]}}]"#);
    for text in [
        format!(r#"{{"batches": {batch}}}"#),
        format!(r#"{{"trace": {{"resourceSpans": {batch}}}, "metrics": {{}}}}"#),
        format!(r#"{{"trace": {{"batches": {batch}}}}}"#),
        format!(r#"{{"resourceSpans": {old}}}"#),
    ] {
        let spans = parse(&text).expect("valid");
        assert_eq!(spans.len(), 1, "{text}");
        assert_eq!(
            spans[0].trace_id.to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(spans[0].span_id.to_string(), "00f067aa0ba902b7");
        assert_eq!(
            spans[0].parent_span_id.map(|id| id.to_string()).as_deref(),
            Some("00f067aa0ba902b8")
        );
        assert_eq!(spans[0].kind, Kind::Client);
        assert!(spans[0].is_error());
        assert_eq!(spans[0].duration_nanos(), 0);
    }
}

#[test]
fn an_unknown_id_is_an_empty_trace() {
    for text in [r#"{"trace":{},"metrics":{}}"#, "{}", r#"{"batches":[]}"#] {
        assert!(parse(text).expect("valid").is_empty(), "{text}");
    }
    assert!(TraceTree::build(Vec::new()).is_empty());
}

#[track_caller]
fn fails_with(text: &str, expected: &str) {
    assert_eq!(parse(text).expect_err("must fail").to_string(), expected);
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    fails_with("trace not found", "the text is not JSON");
    assert!(matches!(parse("x"), Err(ParseError::Json(_))));
    fails_with(
        r#"{"error": "no", "code": 5}"#,
        "no trace in this JSON: expected `resourceSpans`, `batches` or `trace`, found `code`, `error`",
    );
    fails_with(
        "[]",
        "no trace in this JSON: expected `resourceSpans`, `batches` or `trace`, found a list",
    );
    fails_with(r#"{"batches": 5}"#, "batches: expected a list, found 5");
    let in_span = |span: &str| {
        format!(r#"{{"resourceSpans": [{{}}, {{"scopeSpans": [{{"spans": [{span}]}}]}}]}}"#)
    };
    let at = "resourceSpans[1].scopeSpans[0].spans[0]";
    let ids = r#""traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7""#;
    fails_with(&in_span("{}"), &format!("{at}.traceId: is missing"));
    fails_with(
        &in_span(r#"{"traceId": "4bf9"}"#),
        &format!(
            "{at}.traceId: expected a trace id: 32 hexadecimal digits or 16 bytes in base64, found \"4bf9\""
        ),
    );
    fails_with(
        &in_span(&format!(r#"{{{ids}, "startTimeUnixNano": "soon"}}"#)),
        &format!("{at}.startTimeUnixNano: expected a whole number from 0 on, found \"soon\""),
    );
    fails_with(
        &in_span(&format!(r#"{{{ids}, "kind": "SPAN_KIND_MAGIC"}}"#)),
        &format!(
            "{at}.kind: expected a span kind such as SPAN_KIND_SERVER or 2, found \"SPAN_KIND_MAGIC\""
        ),
    );
    fails_with(
        &in_span(&format!(
            r#"{{{ids}, "attributes": [{{"key": "k", "value": {{"intValue": {{}}}}}}]}}"#
        )),
        &format!("{at}.attributes[0].value.intValue: expected a whole number, found an object"),
    );
    fails_with(
        &in_span(&format!(r#"{{{ids}, "name": 5}}"#)),
        &format!("{at}.name: expected a text, found 5"),
    );
}

#[test]
fn a_kind_of_a_later_version_loses_no_trace() {
    let text = OTLP.replace("\"kind\": 2", "\"kind\": 9");
    assert_eq!(parse(&text).expect("valid")[0].kind, Kind::Unspecified);
}
