use std::time::Duration;

use super::{Batch, Config, Exporter, InitError, Protocol, RootSampler};

/// Reads a configuration from these variables and no others.
fn read(variables: &[(&str, &str)]) -> Result<Config, InitError> {
    Config::read(&|wanted: &str| {
        variables
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| (*value).to_owned())
    })
}

fn traces(variables: &[(&str, &str)]) -> Exporter {
    read(variables).unwrap().traces.unwrap()
}

#[track_caller]
fn refused(variables: &[(&str, &str)]) -> String {
    read(variables).expect_err("a wrong value").to_string()
}

#[test]
fn nothing_set_means_grpc_to_the_collector_on_this_machine() {
    let config = read(&[]).unwrap();
    for exporter in [&config.traces, &config.metrics, &config.logs] {
        let exporter = exporter.as_ref().unwrap();
        assert_eq!(exporter.protocol, Protocol::Grpc);
        assert_eq!(exporter.endpoint.as_str(), "http://localhost:4317/");
        assert_eq!(exporter.timeout, Duration::from_secs(10));
    }
    assert!(!config.disabled);
    assert_eq!(config.sampler, RootSampler::AlwaysOn);
    assert_eq!(config.log_directives, "info");
    assert_eq!(config.metric_interval, Duration::from_secs(60));
}

#[test]
fn empty_variables_count_as_unset() {
    let config = read(&[
        ("OTEL_TRACES_SAMPLER", ""),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", " "),
    ]);
    assert_eq!(config.unwrap().sampler, RootSampler::AlwaysOn);
}

#[test]
fn http_appends_the_path_of_the_signal_to_the_general_endpoint() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otel/"),
    ];
    let config = read(&variables).unwrap();
    let path = |exporter: Option<Exporter>| exporter.unwrap().endpoint.path().to_owned();
    assert_eq!(path(config.traces), "/otel/v1/traces");
    assert_eq!(path(config.metrics), "/otel/v1/metrics");
    assert_eq!(path(config.logs), "/otel/v1/logs");
}

#[test]
fn http_without_an_endpoint_goes_to_4318() {
    let exporter = traces(&[("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")]);
    assert_eq!(
        exporter.endpoint.as_str(),
        "http://localhost:4318/v1/traces"
    );
}

#[test]
fn the_variables_of_a_signal_go_before_the_general_ones() {
    let config = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4317"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:9/x"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "100"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20general",
        ),
        (
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
            "authorization=Bearer%20logs",
        ),
    ])
    .unwrap();
    let (traces, logs) = (config.traces.unwrap(), config.logs.unwrap());
    assert_eq!(traces.endpoint.host_str(), Some("general"));
    assert_eq!(traces.timeout, Duration::from_secs(3));
    assert_eq!(traces.headers[0].1, "Bearer general");
    assert_eq!(logs.endpoint.as_str(), "http://logs:9/x");
    assert_eq!(logs.timeout, Duration::from_millis(100));
    assert_eq!(logs.headers[0].1, "Bearer logs");
}

#[test]
fn a_signal_can_be_switched_off() {
    let config = read(&[
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ])
    .unwrap();
    assert!(config.traces.is_none());
    assert!(config.logs.is_some());
}

#[test]
fn every_sampler_is_parent_based() {
    for (name, expected) in [
        ("always_on", RootSampler::AlwaysOn),
        ("parentbased_always_on", RootSampler::AlwaysOn),
        ("parentbased_always_off", RootSampler::AlwaysOff),
        ("traceidratio", RootSampler::Ratio(0.25)),
        ("parentbased_traceidratio", RootSampler::Ratio(0.25)),
    ] {
        let variables = [
            ("OTEL_TRACES_SAMPLER", name),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ];
        assert_eq!(read(&variables).unwrap().sampler, expected, "{name}");
    }
}

#[test]
fn queues_follow_their_variables() {
    let config = read(&[
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "700"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "7"),
    ])
    .unwrap();
    let expected = Batch {
        max_queue_size: 100,
        max_export_batch_size: 100,
        schedule_delay: Duration::from_millis(20),
    };
    assert_eq!(config.span_batch, expected);
    assert_eq!(config.log_batch.max_export_batch_size, 7);
    assert_eq!(config.traces.unwrap().timeout, Duration::from_millis(700));
}

#[test]
fn resource_attributes_are_percent_decoded() {
    let config = read(&[(
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.namespace=shop, team=a%2Cb",
    )]);
    assert_eq!(
        config.unwrap().resource_attributes,
        [
            ("service.namespace".to_owned(), "shop".to_owned()),
            ("team".to_owned(), "a,b".to_owned())
        ]
    );
}

#[test]
fn a_wrong_value_names_the_variable_the_value_and_what_is_allowed() {
    insta::assert_snapshot!(
        [
            refused(&[("OTEL_SDK_DISABLED", "yes")]),
            refused(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317")]),
            refused(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4317")]),
            refused(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]),
            refused(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")]),
            refused(&[("OTEL_LOGS_EXPORTER", "console")]),
            refused(&[("OTEL_TRACES_SAMPLER", "jaeger_remote")]),
            refused(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "10%")]),
            refused(&[("OTEL_BSP_MAX_QUEUE_SIZE", "0")]),
            refused(&[("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "11")]),
            refused(&[("OTEL_RESOURCE_ATTRIBUTES", "a=1,b")]),
            refused(&[("RUST_LOG", "orders=loud")]),
        ]
        .join("\n"),
        @r#"
        OTEL_SDK_DISABLED="yes" cannot be used: it must be true or false
        OTEL_EXPORTER_OTLP_ENDPOINT="localhost:4317" cannot be used: it must be an http:// URL such as http://localhost:4317 (for TLS, send to a collector on this machine and let it forward)
        OTEL_EXPORTER_OTLP_ENDPOINT="https://collector:4317" cannot be used: it must be an http:// URL such as http://localhost:4317 (for TLS, send to a collector on this machine and let it forward)
        OTEL_EXPORTER_OTLP_PROTOCOL="http/json" cannot be used: it must be grpc or http/protobuf
        OTEL_EXPORTER_OTLP_TIMEOUT="10s" cannot be used: it must be a whole number of milliseconds above 0
        OTEL_LOGS_EXPORTER="console" cannot be used: it must be otlp or none
        OTEL_TRACES_SAMPLER="jaeger_remote" cannot be used: it must be always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio
        OTEL_TRACES_SAMPLER_ARG="10%" cannot be used: it must be a number from 0.0 to 1.0
        OTEL_BSP_MAX_QUEUE_SIZE="0" cannot be used: it must be a whole number above 0
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="11" cannot be used: it must be at most the size of the queue, OTEL_BSP_MAX_QUEUE_SIZE = 10
        OTEL_RESOURCE_ATTRIBUTES="entry 2, not repeated as it may be secret" cannot be used: it must be key=value pairs with commas between them and values percent-encoded
        RUST_LOG="orders=loud" cannot be used: it must be directives such as `info` or `warn,orders=debug`; levels are error, warn, info, debug, trace and off
        "#
    );
}

#[test]
fn an_error_or_a_debug_print_never_repeats_a_token() {
    let secret = "s3cr3t";
    let broken = refused(&[("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cr3t,s3cr3t")]);
    assert!(!broken.contains(secret), "{broken}");
    let broken = refused(&[("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cr3t%0A")]);
    assert!(!broken.contains(secret), "{broken}");
    let config = read(&[("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cr3t")]).unwrap();
    assert!(!format!("{config:?}").contains(secret));
}
