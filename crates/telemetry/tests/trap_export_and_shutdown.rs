//! Ways to lose telemetry on the way out. Each scenario runs in a process of its own and
//! is judged by what a collector received, never by what shutdown returned: it says `Ok`
//! although everything was lost.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops where it is"
)]

use std::time::Duration;

use telemetry::{Guard, Service};
use tokio::runtime::{Builder, Runtime};

use child::{SCENARIO, run, run_against};
use receiver::Receiver;

#[path = "core_support/child.rs"]
mod child;
#[path = "core_support/receiver.rs"]
mod receiver;

const STEPS: usize = 5;

// What the children do.

fn start() -> Guard {
    let service = Service {
        name: "orders",
        version: "1.2.3",
    };
    telemetry::init(service).expect("telemetry starts")
}

#[tracing::instrument(name = "step", skip_all)]
async fn step() {
    tracing::info!("in the step");
}

async fn work_and_stop() {
    let telemetry = start();
    for _ in 0..STEPS {
        step().await;
    }
    telemetry.shutdown().await;
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap()
}

/// Not a test of its own: the body of the processes that the tests below start.
#[test]
#[ignore = "started by the other tests"]
fn child() {
    match std::env::var(SCENARIO).unwrap_or_default().as_str() {
        "" => {}
        "current_thread" => current_thread().block_on(work_and_stop()),
        "one_worker" => multi_thread(1).block_on(work_and_stop()),
        "spawned_on_one_worker" => multi_thread(1)
            .block_on(async { telemetry::spawn_detached(work_and_stop()).await.unwrap() }),
        "spawned_on_two_workers" => multi_thread(2)
            .block_on(async { telemetry::spawn_detached(work_and_stop()).await.unwrap() }),
        "dropped" => current_thread().block_on(async {
            let _telemetry = start();
            for _ in 0..STEPS {
                step().await;
            }
        }),
        "twice" => current_thread().block_on(async {
            let telemetry = start();
            let again = telemetry::init(telemetry::service!()).expect_err("the second call");
            eprintln!("{again}");
            telemetry.shutdown().await;
        }),
        "after_sql" => current_thread().block_on(after_sql()),
        other => panic!("no scenario {other}"),
    }
}

/// sqlx logs each statement through `log::log_enabled!`, which leaves stale filter bits
/// behind when the OpenTelemetry layer has a static filter of its own.
async fn after_sql() {
    use sqlx::{Connection as _, PgConnection};

    let telemetry = start();
    let server = std::env::var("SPANTREE_TEST_POSTGRES").expect("run `cargo shop test`");
    // A bare connection with statement logging on: the worst case, not our own pool.
    let mut connection = PgConnection::connect(&server).await.unwrap();
    for _ in 0..STEPS {
        sqlx::query("SELECT 1")
            .execute(&mut connection)
            .await
            .unwrap();
        step().await;
        sqlx::query("SELECT 2")
            .execute(&mut connection)
            .await
            .unwrap();
        tracing::info!("after the statement");
    }
    connection.close().await.unwrap();
    telemetry.shutdown().await;
}

// What is asked of them.

#[tokio::test]
async fn shutdown_delivers_everything_on_every_flavour_of_runtime() {
    for scenario in [
        "current_thread",
        "one_worker",
        "spawned_on_one_worker",
        "spawned_on_two_workers",
        "dropped",
    ] {
        let receiver = Receiver::start().await;
        run(scenario, &receiver, &[]).await.assert_success();
        assert_eq!(receiver.span_names(), ["step"; STEPS], "{scenario}");
        assert_eq!(receiver.log_records().len(), STEPS, "{scenario}");
    }
}

#[tokio::test]
async fn a_log_record_bears_the_ids_of_its_span() {
    let receiver = Receiver::start().await;
    let ended = run("current_thread", &receiver, &[]).await;
    let (spans, records) = (receiver.spans(), receiver.log_records());
    for record in records {
        assert!(
            spans
                .iter()
                .any(|span| span.trace_id == record.trace_id && span.span_id == record.span_id)
        );
    }
    let line = ended.stderr();
    let line = line
        .lines()
        .find(|line| line.contains("in the step"))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let trace_id = line["trace_id"].as_str().unwrap();
    assert!(
        spans
            .iter()
            .any(|span| hex::encode(&span.trace_id) == trace_id)
    );
}

#[tokio::test]
async fn the_queues_own_metrics_arrive_because_the_meter_provider_came_first() {
    let receiver = Receiver::start().await;
    run("current_thread", &receiver, &[]).await.assert_success();
    let names = receiver.metric_names();
    for wanted in ["otel.sdk.processor.span.processed", "otel.sdk.log.created"] {
        assert!(
            names.iter().any(|name| name == wanted),
            "{wanted} not in {names:?}"
        );
    }
}

#[tokio::test]
async fn every_signal_bears_the_resource() {
    let receiver = Receiver::start().await;
    let environment = [("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=shop")];
    run("current_thread", &receiver, &environment)
        .await
        .assert_success();
    for (key, value) in [
        ("service.name", "orders"),
        ("service.version", "1.2.3"),
        ("service.namespace", "shop"),
        ("deployment.environment.name", "development"),
    ] {
        let texts = receiver.resource_texts(key);
        assert!(
            texts.len() >= 3 && texts.iter().all(|text| text == value),
            "{key}: {texts:?}"
        );
    }
}

#[tokio::test]
async fn the_batch_thread_survives_otlp_over_http() {
    let receiver = Receiver::start().await;
    let http = [("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")];
    run("spawned_on_one_worker", &receiver, &http)
        .await
        .assert_success();
    assert_eq!(receiver.span_names(), ["step"; STEPS]);
    assert_eq!(receiver.log_records().len(), STEPS);
    assert!(!receiver.metric_names().is_empty());
}

#[tokio::test]
async fn headers_are_sent_over_both_protocols() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start().await;
        let token = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ];
        run("current_thread", &receiver, &token)
            .await
            .assert_success();
        let sent = receiver.authorizations();
        assert!(sent.len() >= 3, "{protocol}");
        assert!(
            sent.iter().all(|value| value == "Bearer t0ken"),
            "{protocol}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn exporting_causes_no_telemetry_of_its_own() {
    let receiver = Receiver::start().await;
    let everything = [("RUST_LOG", "trace"), ("OTEL_BSP_SCHEDULE_DELAY", "5")];
    run("one_worker", &receiver, &everything)
        .await
        .assert_success();
    assert_eq!(receiver.span_names(), ["step"; STEPS]);
    let own = receiver.log_targets();
    let transport = ["h2", "hyper", "tonic", "tower", "opentelemetry"];
    let noise: Vec<_> = own
        .iter()
        .filter(|target| transport.iter().any(|prefix| target.starts_with(prefix)))
        .collect();
    assert!(noise.is_empty(), "{noise:?}");
}

#[tokio::test]
async fn a_quieter_log_leaves_the_trace_whole() {
    let receiver = Receiver::start().await;
    run("current_thread", &receiver, &[("RUST_LOG", "error")])
        .await
        .assert_success();
    assert_eq!(receiver.span_names(), ["step"; STEPS]);
    assert!(receiver.log_records().is_empty());
}

#[tokio::test]
async fn the_span_and_the_log_after_every_statement_arrive_under_a_debug_directive() {
    for directives in ["info,foo=debug", "info", "info,sqlx=info,foo=debug"] {
        let receiver = Receiver::start().await;
        run("after_sql", &receiver, &[("RUST_LOG", directives)])
            .await
            .assert_success();
        assert_eq!(receiver.span_names(), ["step"; STEPS], "{directives}");
        // One record in each step and one after it.
        assert_eq!(receiver.log_records().len(), 2 * STEPS, "{directives}");
    }
}

#[tokio::test]
async fn a_closed_port_delays_the_end_within_the_bound_and_the_loss_is_told() {
    // Bound and dropped: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let ended = run_against("current_thread", &endpoint, &[]).await;
    ended.assert_success();
    assert_bounded_and_reported(&ended);
}

#[tokio::test]
async fn a_collector_that_never_answers_delays_the_end_within_the_bound() {
    // Accepts into the backlog and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    for scenario in ["current_thread", "spawned_on_one_worker"] {
        let ended = run_against(scenario, &endpoint, &[]).await;
        ended.assert_success();
        assert_bounded_and_reported(&ended);
    }
}

#[track_caller]
fn assert_bounded_and_reported(ended: &child::Ended) {
    // Five seconds are the bound; the rest is a loaded machine starting a process.
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    let stderr = ended.stderr();
    let report = stderr
        .lines()
        .find(|line| line.contains("telemetry was not delivered completely"))
        .unwrap_or_else(|| panic!("no report in\n{stderr}"));
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    assert_eq!(report["spans.lost"], STEPS);
}

#[tokio::test]
async fn a_disabled_sdk_sends_nothing_and_still_logs() {
    let receiver = Receiver::start().await;
    let ended = run(
        "current_thread",
        &receiver,
        &[("OTEL_SDK_DISABLED", "true")],
    )
    .await;
    ended.assert_success();
    assert!(receiver.spans().is_empty());
    assert!(receiver.metric_names().is_empty());
    assert!(ended.stderr().contains("in the step"));
}

#[tokio::test]
async fn unsampled_traces_are_not_sent() {
    let receiver = Receiver::start().await;
    let sampler = [("OTEL_TRACES_SAMPLER", "always_off")];
    let ended = run("current_thread", &receiver, &sampler).await;
    ended.assert_success();
    assert!(receiver.spans().is_empty());
    assert_eq!(receiver.log_records().len(), STEPS);
    assert!(
        !ended.stderr().contains("not delivered"),
        "nothing was lost"
    );
}

#[tokio::test]
async fn a_wrong_variable_stops_the_start_with_one_clear_line() {
    let receiver = Receiver::start().await;
    let wrong = [("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")];
    let ended = run("current_thread", &receiver, &wrong).await;
    assert!(!ended.output.status.success());
    assert!(ended.stderr().contains("OTEL_EXPORTER_OTLP_TIMEOUT"));
}

#[tokio::test]
async fn a_second_init_is_refused() {
    let receiver = Receiver::start().await;
    let ended = run("twice", &receiver, &[]).await;
    ended.assert_success();
    assert!(ended.stderr().contains("telemetry is already initialised"));
}
