//! Search by each criterion, in both styles, and the answers' shape.

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Status};
use serde_json::json;

use crate::support::{EPOCH, SECOND, TestTracebox, int, pretty, query, resource_spans, span, text};

fn later(mut resource: ResourceSpans, seconds: u64) -> ResourceSpans {
    for span in &mut resource.scope_spans[0].spans {
        span.start_time_unix_nano += seconds * SECOND;
        span.end_time_unix_nano += seconds * SECOND;
    }
    resource
}

/// Three checkouts, a minute apart: 1 is good and small, 2 is slow, 3 failed.
async fn with_three_traces() -> TestTracebox {
    let tracebox = TestTracebox::start().await;
    let mut resources = Vec::new();
    for (trace, tenant, milliseconds, status) in [
        (1, "acme", 50, 200),
        (2, "globex", 900, 200),
        (3, "acme", 60, 502),
    ] {
        let mut root = span(trace, 1, 0, "POST /checkout", milliseconds);
        root.attributes = vec![
            text("tenant.id", tenant),
            int("http.response.status_code", status),
        ];
        let mut charge = span(trace, 2, 1, "payment.Payment/Charge", 20);
        charge.kind = 3;
        if status != 200 {
            let failed = Status {
                code: 2,
                message: "processor failed".to_owned(),
            };
            root.status = Some(failed.clone());
            charge.status = Some(failed);
        }
        let minutes = u64::try_from(trace).unwrap() * 60;
        resources.push(later(resource_spans("orders", vec![root]), minutes));
        resources.push(later(resource_spans("payment", vec![charge]), minutes));
    }
    let request = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest {
        resource_spans: resources,
    };
    tracebox.export(request).await;
    tracebox
}

#[tokio::test]
async fn tags_find_what_they_name() {
    let tracebox = with_three_traces().await;
    for (tags, expected) in [
        ("", vec!["3", "2", "1"]),
        ("service.name=orders", vec!["3", "2", "1"]),
        ("service.name=pricing", vec![]),
        ("tenant.id=acme", vec!["3", "1"]),
        ("tenant.id=ACM", vec!["3", "1"]),
        ("http.response.status_code=502", vec!["3"]),
        ("error=true", vec!["3"]),
        ("status=error", vec!["3"]),
        ("name=\"POST /checkout\" tenant.id=globex", vec!["2"]),
        (
            "root.service.name=orders root.name=checkout",
            vec!["3", "2", "1"],
        ),
        ("root.service.name=payment", vec![]),
        ("tenant.id=acme service.name=payment", vec!["3", "1"]),
        ("no.such.key=x", vec![]),
    ] {
        assert_eq!(tracebox.found(&[("tags", tags)]).await, expected, "{tags}");
    }
}

#[tokio::test]
async fn durations_times_and_limits_narrow_a_search() {
    let tracebox = with_three_traces().await;
    let at = |seconds: u64| (EPOCH + seconds).to_string();
    let found = async |parameters: &[(&str, &str)]| tracebox.found(parameters).await;
    assert_eq!(found(&[("minDuration", "500ms")]).await, ["2"]);
    assert_eq!(found(&[("maxDuration", "55ms")]).await, ["1"]);
    assert_eq!(
        found(&[("minDuration", "55ms"), ("maxDuration", "0.1s")]).await,
        ["3"]
    );
    assert_eq!(found(&[("limit", "2")]).await, ["3", "2"]);
    let range = [("start", &*at(100)), ("end", &*at(150))];
    assert_eq!(found(&range).await, ["2"]);
    let after = [("start", &*at(500)), ("end", &*at(600))];
    assert!(found(&after).await.is_empty());
}

#[tokio::test]
async fn traceql_finds_spans_that_meet_every_condition() {
    let tracebox = with_three_traces().await;
    for (q, expected) in [
        ("{}", vec!["3", "2", "1"]),
        ("{ }", vec!["3", "2", "1"]),
        (
            "{ resource.service.name = \"orders\" && span.tenant.id = \"acme\" }",
            vec!["3", "1"],
        ),
        (
            "{ resource.service.name = \"payment\" && span.tenant.id = \"acme\" }",
            vec![],
        ),
        (
            "{ name = \"payment.Payment/Charge\" && kind = client && status = error }",
            vec!["3"],
        ),
        ("{ duration > 100ms }", vec!["2"]),
        (
            "{ duration <= 20ms && kind != server }",
            vec!["3", "2", "1"],
        ),
        ("{ .http.response.status_code >= 500 }", vec!["3"]),
        (
            "{ .http.response.status_code < 500.5 && .tenant.id != \"acme\" }",
            vec!["2"],
        ),
        (
            "{ statusMessage = \"processor failed\" && trace:rootService = \"orders\" }",
            vec!["3"],
        ),
        (
            "{ rootName = \"POST /checkout\" && traceDuration > 800ms }",
            vec!["2"],
        ),
        ("{ span.missing != \"x\" }", vec![]),
    ] {
        assert_eq!(tracebox.found(&[("q", q)]).await, expected, "{q}");
    }
}

#[tokio::test]
async fn the_answer_has_tempos_shape() {
    let tracebox = with_three_traces().await;
    let q = "{ status = error && resource.service.name = \"orders\" && name = \"POST /checkout\" }";
    let answer = tracebox
        .json(&format!("/api/search?{}", query(&[("q", q)])))
        .await;
    insta::assert_snapshot!(pretty(&answer));
    let nothing = tracebox.json("/api/search?tags=a%3Db").await;
    assert_eq!(nothing["traces"], json!([]));
}

#[tokio::test]
async fn spans_per_set_cuts_the_spans_and_not_the_count() {
    let tracebox = TestTracebox::start().await;
    let spans = (1..=10).map(|id| span(5, id, 0, "x", 1)).collect();
    tracebox.export(crate::support::of("a", spans)).await;
    for (parameters, shown) in [("", 3), ("&spss=5", 5)] {
        let answer = tracebox
            .json(&format!("/api/search?q=%7B%7D{parameters}"))
            .await;
        let set = &answer["traces"][0]["spanSets"][0];
        assert_eq!(set["spans"].as_array().unwrap().len(), shown);
        assert_eq!(set["matched"], 10);
    }
}

#[tokio::test]
async fn a_trace_without_its_root_says_so() {
    let tracebox = TestTracebox::start().await;
    let child = span(0xa, 2, 1, "charge", 1);
    tracebox
        .export(crate::support::of("payment", vec![child]))
        .await;
    let answer = tracebox.json("/api/search").await;
    let trace = &answer["traces"][0];
    assert_eq!(trace["rootServiceName"], "<root span not yet received>");
    assert_eq!(trace.get("rootTraceName"), None);
}

#[tokio::test]
async fn bad_parameters_are_400_with_the_reason() {
    let tracebox = TestTracebox::start().await;
    for (parameters, reason) in [
        (
            vec![("limit", "0")],
            "invalid limit: must be a positive number",
        ),
        (
            vec![("spss", "-1")],
            "invalid spss: must be a positive number",
        ),
        (
            vec![("minDuration", "10")],
            "invalid minDuration: invalid duration \"10\"",
        ),
        (
            vec![("start", "x"), ("end", "5")],
            "invalid start: \"x\" is not unix seconds",
        ),
        (
            vec![("start", "6"), ("end", "5")],
            "http parameter start must be before end. received start=6 end=5",
        ),
        (
            vec![("tags", "a=1 a=2")],
            "invalid tags: tag a has been set twice",
        ),
        (
            vec![("tags", "a=1"), ("q", "{}")],
            "invalid request: can't specify tags and q in the same query",
        ),
        (
            vec![("q", "{ name = \"x\" || name = \"y\" }")],
            "invalid TraceQL query: parse error at line 1, col 14: syntax error: unexpected `||`, expected `&&`",
        ),
        (
            vec![("q", "{ status = error } | rate()")],
            "invalid TraceQL query: parse error at line 1, col 20: syntax error: unexpected `|`, expected the end of the query",
        ),
    ] {
        let (status, text) = tracebox
            .refused(&format!("/api/search?{}", query(&parameters)))
            .await;
        assert_eq!((status, text.as_str()), (400, reason), "{parameters:?}");
    }
}

#[tokio::test]
async fn tag_names_and_values_are_offered() {
    let tracebox = with_three_traces().await;
    let v1 = tracebox.json("/api/search/tags").await;
    assert_eq!(
        v1["tagNames"],
        json!(["http.response.status_code", "service.name", "tenant.id"])
    );
    let v2 = tracebox.json("/api/v2/search/tags?scope=span").await;
    assert_eq!(
        v2["scopes"],
        json!([{"name": "span", "tags": ["http.response.status_code", "tenant.id"]}])
    );
    let all = tracebox.json("/api/v2/search/tags").await;
    assert_eq!(all["scopes"].as_array().unwrap().len(), 3);
    assert_eq!(
        tracebox.get("/api/v2/search/tags?scope=odd").await.status(),
        400
    );

    let v1 = tracebox.json("/api/search/tag/service.name/values").await;
    assert_eq!(v1["tagValues"], json!(["orders", "payment"]));
    let values = async |tag: &str, q: &str| {
        let path = format!("/api/v2/search/tag/{tag}/values?{}", query(&[("q", q)]));
        tracebox.json(&path).await["tagValues"].clone()
    };
    let strings = |values: &[&str]| {
        let typed = values.iter().map(|v| json!({"type": "string", "value": v}));
        serde_json::Value::Array(typed.collect())
    };
    let orders = "{ resource.service.name = \"orders\" && status = error }";
    assert_eq!(
        values("span.tenant.id", "").await,
        strings(&["acme", "globex"])
    );
    assert_eq!(values(".tenant.id", orders).await, strings(&["acme"]));
    assert_eq!(
        values("resource.service.name", "{ half =").await,
        strings(&["orders", "payment"])
    );
    assert_eq!(values("name", orders).await, strings(&["POST /checkout"]));
    assert_eq!(
        values("span.http.response.status_code", orders).await,
        json!([{"type": "int", "value": "502"}])
    );
    let statuses = values("status", "").await;
    assert!(
        statuses
            .as_array()
            .unwrap()
            .contains(&json!({"type": "keyword", "value": "error"}))
    );
}
