//! Many at once, too much, nonsense, slow clients, and the end.

use std::time::Duration;

use proptest::test_runner::{Config, TestRunner};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracebox::TraceId;

use crate::support::{TestTracebox, of, span, text};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_and_searches_at_the_same_time_lose_nothing() {
    let tracebox = TestTracebox::start().await;
    let (writers, traces) = (8_u64, 20_u64);
    let mut work = JoinSet::new();
    for writer in 1..=writers {
        let mut client = tracebox.grpc().await;
        work.spawn(async move {
            for trace in 1..=traces {
                let spans = (1..=25)
                    .map(|id| span(trace.into(), writer * 1000 + id, 1, "work", 1))
                    .collect();
                client.export(of("busy", spans)).await.unwrap();
            }
        });
    }
    for _ in 0..4 {
        let client = tracebox.client.clone();
        let url = format!(
            "http://{}/api/search?q=%7B%7D",
            tracebox.running.query_addr()
        );
        work.spawn(async move {
            for _ in 0..20 {
                assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
            }
        });
    }
    work.join_all().await;
    let figures = tracebox.running.store().figures();
    assert_eq!(figures.spans as u64, writers * traces * 25);
    assert_eq!(figures.traces as u64, traces);
}

#[tokio::test]
async fn a_flood_stays_in_bounds_and_the_newest_survive() {
    let bound = 2 << 20;
    let tracebox = TestTracebox::with(|config| config.max_memory = bound).await;
    let mut client = tracebox.grpc().await;
    for trace in 1..=400_u32 {
        let spans = (1..=50)
            .map(|id| {
                let mut one = span(trace.into(), id, id - 1, "flood", 1);
                one.attributes = vec![text("order.id", &format!("{trace:x}-{id:x}-unique-value"))];
                one
            })
            .collect();
        client
            .export(of(&format!("service-{trace}"), spans))
            .await
            .unwrap();
        assert!(tracebox.running.store().figures().bytes <= bound);
    }
    let figures = tracebox.running.store().figures();
    assert!(figures.traces_evicted > 0);
    assert_eq!(
        figures.spans_evicted + figures.spans as u64,
        figures.spans_stored
    );
    assert_eq!(tracebox.get("/api/traces/1").await.status(), 404);
    assert_eq!(tracebox.get("/api/traces/190").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_bytes_are_answered_and_never_with_a_server_error() {
    let tracebox = TestTracebox::start().await;
    let valid = of("a", vec![span(1, 1, 0, "x", 1)]).encode_to_vec();
    let strategy = (
        proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        proptest::sample::select(vec!["/v1/traces", "/v1/logs", "/v1/metrics"]),
        proptest::sample::select(vec!["application/json", "application/x-protobuf"]),
        proptest::bool::ANY,
        // A valid request with some bytes changed goes deeper than noise.
        proptest::collection::vec((0..valid.len(), proptest::num::u8::ANY), 0..4),
        proptest::bool::ANY,
    );
    let handle = tokio::runtime::Handle::current();
    let mut runner = TestRunner::new(Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    });
    tokio::task::block_in_place(|| {
        runner
            .run(
                &strategy,
                |(noise, path, content_type, gzip, changes, mutate)| {
                    let mut body = noise;
                    if mutate {
                        body.clone_from(&valid);
                        for (place, byte) in changes {
                            body[place] = byte;
                        }
                    }
                    let mut headers = vec![("content-type", content_type)];
                    if gzip {
                        headers.push(("content-encoding", "gzip"));
                    }
                    let response = handle.block_on(tracebox.post(path, &headers, body));
                    let status = response.status().as_u16();
                    proptest::prop_assert!([200, 400].contains(&status), "{status}");
                    Ok(())
                },
            )
            .unwrap();
    });
    assert_eq!(tracebox.get("/ready").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_query_string_is_answered_and_never_with_a_server_error() {
    let tracebox = TestTracebox::start().await;
    tracebox.export(of("a", vec![span(1, 1, 0, "x", 1)])).await;
    let handle = tokio::runtime::Handle::current();
    let mut runner = TestRunner::new(Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    });
    let strategy = "(q|tags|start|end|limit|spss|minDuration)=[a-z0-9%{}=+&.]{0,30}";
    tokio::task::block_in_place(|| {
        runner
            .run(&strategy, |query| {
                let path = format!("/api/search?{query}");
                let status = handle.block_on(tracebox.get(&path)).status().as_u16();
                proptest::prop_assert!([200, 400].contains(&status), "{status}");
                Ok(())
            })
            .unwrap();
    });
}

#[tokio::test]
async fn deeply_nested_values_are_refused_or_stored_but_survive() {
    let tracebox = TestTracebox::start().await;
    let json = [("content-type", "application/json")];
    let mut value = "{\"stringValue\":\"x\"}".to_owned();
    for _ in 0..5000 {
        value = format!("{{\"arrayValue\":{{\"values\":[{value}]}}}}");
    }
    let body = format!(
        "{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"k\",\"value\":{value}}}]}}}}]}}"
    );
    assert_eq!(tracebox.post("/v1/traces", &json, body).await.status(), 400);

    // Protobuf: field 1 in field 5 in field 1 and so on.
    let mut value: Vec<u8> = vec![0x0a, 1, b'x'];
    for _ in 0..2000 {
        for tag in [0x0a_u8, 0x2a] {
            let mut outer = vec![tag];
            prost::encode_length_delimiter(value.len(), &mut outer).unwrap();
            outer.extend(&value);
            value = outer;
        }
    }
    let mut attribute = vec![0x12];
    prost::encode_length_delimiter(value.len(), &mut attribute).unwrap();
    attribute.extend(value);
    let mut body = attribute;
    for tag in [0x0a_u8, 0x0a, 0x0a] {
        let mut outer = vec![tag];
        prost::encode_length_delimiter(body.len(), &mut outer).unwrap();
        outer.extend(&body);
        body = outer;
    }
    let protobuf = [("content-type", "application/x-protobuf")];
    assert_eq!(
        tracebox.post("/v1/traces", &protobuf, body).await.status(),
        400
    );
    assert_eq!(tracebox.get("/ready").await.status(), 200);
}

#[tokio::test]
async fn several_in_one_process_know_nothing_of_each_other() {
    let (one, two) = (TestTracebox::start().await, TestTracebox::start().await);
    one.export(of("a", vec![span(7, 1, 0, "x", 1)])).await;
    let id = TraceId::parse("7").unwrap();
    assert!(one.running.store().trace(id).is_some());
    assert!(two.running.store().trace(id).is_none());
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let first = TestTracebox::start().await;
    let mut config = tracebox::Config::on_free_ports();
    config.http = first.running.query_addr();
    let Err(error) = tracebox::Tracebox::start(config).await else {
        panic!("two listeners on one address");
    };
    let expected = format!(
        "cannot listen for the query API on {}",
        first.running.query_addr()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn stopping_does_not_wait_for_idle_or_silent_clients() {
    let tracebox = TestTracebox::start().await;
    assert_eq!(tracebox.get("/ready").await.status(), 200);
    let query = tracebox.running.query_addr();
    let mut silent = TcpStream::connect(query).await.unwrap();
    let mut half = TcpStream::connect(tracebox.running.otlp_http_addr())
        .await
        .unwrap();
    half.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nab")
        .await
        .unwrap();
    timeout(LONG, tracebox.running.stop())
        .await
        .expect("stopping is bounded");
    assert!(TcpStream::connect(query).await.is_err());
    let mut rest = Vec::new();
    let read = timeout(LONG, silent.read_to_end(&mut rest)).await.unwrap();
    assert!(read.is_ok_and(|length| length == 0) || rest.is_empty());
}
