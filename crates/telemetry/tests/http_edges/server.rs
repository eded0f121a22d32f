//! The SERVER span: name, attributes, status.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use telemetry::testing;

use crate::support::{Foreign, call, finished, serve, text, the_span, trace_id_in};

fn orders() -> Router {
    Router::new()
        .route("/orders/{id}", get(|| async { "an order" }))
        .route("/busy", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/wrong", get(|| async { StatusCode::UNPROCESSABLE_ENTITY }))
}

#[tokio::test]
async fn a_request_is_a_server_span_with_the_attributes_of_the_conventions() {
    let address = serve(orders()).await;
    let foreign = Foreign::sampled();

    let answer = call(
        address,
        "GET /orders/42?token=tok_visa&page=2",
        &[
            ("traceparent", &foreign.traceparent),
            ("user-agent", "curl/8.5"),
        ],
    )
    .await;

    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(trace_id_in(&answer), Some(foreign.trace_id));
    let span = the_span(foreign.trace_id).await;
    assert_eq!(span.name, "GET /orders/{id}");
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_eq!(span.status, Status::Unset);
    assert!(span.parent_span_is_remote);
    assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/orders/{id}"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
        ("url.path", "/orders/42"),
        ("url.query", "token=REDACTED&page=REDACTED"),
        ("server.address", "shop.test"),
        ("server.port", "8080"),
        ("client.address", "127.0.0.1"),
        ("network.peer.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "curl/8.5"),
    ] {
        assert_eq!(text(&span, key).as_deref(), Some(value), "{key}");
    }
    assert!(text(&span, "network.peer.port").is_some());
    assert_eq!(text(&span, "error.type"), None);
    assert_eq!(
        span.instrumentation_scope.schema_url(),
        Some("https://opentelemetry.io/schemas/1.42.0")
    );
}

#[tokio::test]
async fn a_path_that_no_route_knows_never_names_a_span() {
    let address = serve(orders()).await;

    let answer = call(address, "GET /etc/passwd", &[]).await;

    let span = the_span(trace_id_in(&answer).unwrap()).await;
    assert_eq!(span.name, "GET");
    assert_eq!(text(&span, "http.route"), None);
    assert_eq!(
        text(&span, "http.response.status_code").as_deref(),
        Some("404")
    );
    assert_eq!(span.status, Status::Unset);
}

#[tokio::test]
async fn a_method_that_nobody_knows_never_names_a_span() {
    let address = serve(orders()).await;

    let answer = call(address, "BREW /orders/1", &[]).await;

    let span = the_span(trace_id_in(&answer).unwrap()).await;
    assert_eq!(span.name, "HTTP /orders/{id}");
    assert_eq!(
        text(&span, "http.request.method").as_deref(),
        Some("_OTHER")
    );
    assert_eq!(
        text(&span, "http.request.method_original").as_deref(),
        Some("BREW")
    );
}

#[tokio::test]
async fn a_5xx_is_an_error_of_the_server_and_a_4xx_is_not() {
    let address = serve(orders()).await;

    let busy = call(address, "GET /busy", &[]).await;
    let wrong = call(address, "GET /wrong", &[]).await;

    let busy = the_span(trace_id_in(&busy).unwrap()).await;
    assert!(testing::is_error(&busy));
    assert_eq!(text(&busy, "error.type").as_deref(), Some("503"));
    let wrong = the_span(trace_id_in(&wrong).unwrap()).await;
    assert_eq!(wrong.status, Status::Unset);
    assert_eq!(text(&wrong, "error.type"), None);
}

#[tokio::test]
async fn a_request_without_a_caller_is_a_root() {
    let address = serve(orders()).await;

    let answer = call(address, "GET /orders/1", &[]).await;

    let span = the_span(trace_id_in(&answer).unwrap()).await;
    assert_eq!(span.parent_span_id, SpanId::INVALID);
}

#[tokio::test]
async fn what_machines_poll_makes_no_spans() {
    let routes = Router::new()
        .route("/health", get(|| async { "up" }))
        .route("/ready", get(|| async { "ready" }))
        .route("/metrics", get(|| async { "" }));
    let address = serve(routes).await;
    let foreign = Foreign::sampled();

    for path in ["/health", "/ready", "/metrics"] {
        let answer = call(
            address,
            &format!("GET {path}"),
            &[("traceparent", &foreign.traceparent)],
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(trace_id_in(&answer), None);
    }

    assert!(finished(foreign.trace_id).is_empty());
}

#[tokio::test]
async fn every_request_is_measured_also_when_its_trace_is_not_sampled() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter.clone())
        .build();
    opentelemetry::global::set_meter_provider(provider.clone());
    let address = serve(Router::new().route(
        "/measured/{id}",
        get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
    ))
    .await;
    let foreign = Foreign::unsampled();

    call(
        address,
        "GET /measured/1",
        &[("traceparent", &foreign.traceparent)],
    )
    .await;

    let flush = telemetry::spawn_blocking(move || provider.force_flush());
    flush.await.unwrap().unwrap();
    let collected = exporter.get_finished_metrics().unwrap();
    let durations = collected
        .iter()
        .flat_map(|resource| resource.scope_metrics())
        .flat_map(|scope| scope.metrics())
        .find(|metric| metric.name() == "http.server.request.duration")
        .expect("the duration is measured");
    assert_eq!(durations.unit(), "s");
    let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = durations.data() else {
        panic!("a histogram of seconds, not {durations:?}");
    };
    let point = histogram
        .data_points()
        .find(|point| {
            point.attributes().any(|attribute| {
                attribute.key.as_str() == "http.route"
                    && attribute.value.as_str() == "/measured/{id}"
            })
        })
        .expect("a point for the route");
    assert_eq!(point.count(), 1);
    assert_eq!(point.bounds().next(), Some(0.005));
    let labels: Vec<String> = point
        .attributes()
        .map(|attribute| format!("{}={}", attribute.key, attribute.value))
        .collect();
    for label in [
        "http.request.method=GET",
        "http.response.status_code=500",
        "error.type=500",
        "url.scheme=http",
    ] {
        assert!(labels.iter().any(|seen| seen == label), "{labels:?}");
    }
}
