//! Messages that are processed.

use std::time::Duration;

use opentelemetry::trace::{SpanKind, TraceId};
use telemetry::{TraceCarrier, sqs::ProcessParent, testing};
use tokio_util::sync::CancellationToken;

use crate::support::{BooksClosed, Endpoint, Seen, consume_until, counts, eventually, impatient};

#[tracing::instrument(name = "postMovement", skip_all)]
async fn post_movement() -> Option<String> {
    telemetry::current_tenant()
}

#[tokio::test]
async fn processing_is_below_the_send_and_linked_to_it() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    let seen = Seen::default();
    let recorded = testing::trace("checkout", async {
        let creation = telemetry::with_tenant("acme", async { TraceCarrier::capture() }).await;
        queue.send("{}".to_owned(), &creation).await.unwrap();
        let handler_saw = seen.clone();
        consume_until(
            impatient(&queue),
            move |message| {
                let seen = handler_saw.clone();
                async move {
                    assert_eq!(post_movement().await.as_deref(), Some("acme"));
                    seen.push(message);
                    Ok(())
                }
            },
            async || !seen.all().is_empty(),
        )
        .await;
    })
    .await;
    // The parents are remote, as they are when the consumer is another process.
    let sent = recorded.span("send events");
    let process = recorded.span("process events");
    assert_eq!(process.span_kind, SpanKind::Consumer);
    assert_eq!(process.parent_span_id, sent.span_context.span_id());
    assert!(process.parent_span_is_remote);
    assert_eq!(process.links.iter().count(), 1);
    assert_eq!(
        process.links.iter().next().unwrap().span_context.span_id(),
        sent.span_context.span_id()
    );
    for (key, expected) in [
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "events"),
        ("messaging.message.id", seen.all()[0].id.as_str()),
        ("tenant.id", "acme"),
    ] {
        assert_eq!(
            recorded.attribute("process events", key).as_deref(),
            Some(expected),
            "{key}"
        );
    }
    assert_eq!(
        recorded.shape(),
        "checkout\n  send events PRODUCER\n    process events CONSUMER\n      postMovement\n      \
         delete events CLIENT\n"
    );
    assert_eq!(
        recorded
            .attribute("delete events", "messaging.operation.type")
            .as_deref(),
        Some("settle")
    );
    assert_eq!(counts(&endpoint.client, &queue).await, (0, 0));
}

#[tokio::test]
async fn by_link_only_processing_is_a_trace_of_its_own() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("apart-events", 5).await;
    let seen = Seen::default();
    let recorded = testing::trace("checkout", async {
        let creation = telemetry::with_tenant("acme", async { TraceCarrier::capture() }).await;
        queue.send("{}".to_owned(), &creation).await.unwrap();
        let handler_saw = seen.clone();
        consume_until(
            impatient(&queue).process_parent(ProcessParent::LinkOnly),
            move |message| {
                let seen = handler_saw.clone();
                async move {
                    assert_eq!(telemetry::current_tenant().as_deref(), Some("acme"));
                    seen.push(message);
                    Ok(())
                }
            },
            async || !seen.all().is_empty(),
        )
        .await;
    })
    .await;
    assert_eq!(recorded.shape(), "checkout\n  send apart-events PRODUCER\n");
    let finished = testing::finished_spans();
    let process = finished
        .iter()
        .find(|span| span.name == "process apart-events")
        .unwrap();
    assert_ne!(process.span_context.trace_id(), recorded.trace_id);
    assert_ne!(process.span_context.trace_id(), TraceId::INVALID);
    assert_eq!(
        process.links.iter().next().unwrap().span_context.trace_id(),
        recorded.trace_id
    );
}

#[tokio::test]
async fn a_duplicate_delivery_is_processed_again_in_the_same_trace() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    let seen = Seen::default();
    let recorded = testing::trace("checkout", async {
        queue
            .send("{}".to_owned(), &TraceCarrier::capture())
            .await
            .unwrap();
        // Received by a consumer that dies: the message comes again.
        let lost = queue.receive(1, Duration::from_secs(1)).await.unwrap();
        queue
            .change_visibility(&lost[0], Duration::ZERO)
            .await
            .unwrap();
        let handler_saw = seen.clone();
        consume_until(
            impatient(&queue),
            move |message| {
                handler_saw.push(message);
                async { Ok(()) }
            },
            async || !seen.all().is_empty(),
        )
        .await;
        lost
    })
    .await;
    let again = &seen.all()[0];
    assert_eq!(again.id, recorded.result[0].id);
    assert_eq!(again.receive_count, 2);
    assert_eq!(again.carrier, recorded.result[0].carrier);
    assert_eq!(recorded.spans_named("process events").count(), 1);
}

#[tokio::test]
async fn stopping_finishes_the_message_in_hand_and_takes_no_other() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    let recorded = testing::trace("checkout", async {
        for _ in 0..2 {
            queue
                .send("{}".to_owned(), &TraceCarrier::capture())
                .await
                .unwrap();
        }
        let stop = CancellationToken::new();
        let begun = Seen::default();
        let release = CancellationToken::new();
        let running = telemetry::spawn_detached(impatient(&queue).run(stop.clone(), {
            let (begun, release) = (begun.clone(), release.clone());
            move |message| {
                let (begun, release) = (begun.clone(), release.clone());
                async move {
                    begun.push(message);
                    release.cancelled().await;
                    Ok::<(), BooksClosed>(())
                }
            }
        }));
        eventually("a message is in hand", async || begun.all().len() == 1).await;
        stop.cancel();
        assert!(!running.is_finished());
        release.cancel();
        tokio::time::timeout(Duration::from_secs(10), running)
            .await
            .unwrap()
            .unwrap();
        begun.all().len()
    })
    .await;
    assert_eq!(recorded.result, 1);
    assert_eq!(recorded.spans_named("process events").count(), 1);
    assert_eq!(recorded.spans_named("delete events").count(), 1);
    assert_eq!(counts(&endpoint.client, &queue).await, (1, 0));
}

#[tokio::test]
async fn an_idle_consumer_stops_at_once() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    let stop = CancellationToken::new();
    let consumer = impatient(&queue).wait(Duration::from_secs(20));
    let running = telemetry::spawn_detached(
        consumer.run(stop.clone(), |_| async { Ok::<(), BooksClosed>(()) }),
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), running)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn as_many_messages_are_processed_at_a_time_as_allowed() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    testing::install();
    for _ in 0..12 {
        queue
            .send("{}".to_owned(), &TraceCarrier::default())
            .await
            .unwrap();
    }
    let seen = Seen::default();
    let (now, most) = (Counter::default(), Counter::default());
    let handler_saw = seen.clone();
    let (running, peak) = (now.clone(), most.clone());
    consume_until(
        impatient(&queue).concurrency(3),
        move |message| {
            let (seen, running, peak) = (handler_saw.clone(), running.clone(), peak.clone());
            async move {
                peak.at_least(running.add(1));
                tokio::time::sleep(Duration::from_millis(20)).await;
                running.add(-1);
                seen.push(message);
                Ok(())
            }
        },
        async || seen.all().len() == 12,
    )
    .await;
    assert_eq!(most.get(), 3);
}

#[derive(Clone, Default)]
struct Counter(std::sync::Arc<std::sync::atomic::AtomicI64>);

impl Counter {
    fn add(&self, n: i64) -> i64 {
        self.0.fetch_add(n, std::sync::atomic::Ordering::SeqCst) + n
    }

    fn at_least(&self, n: i64) {
        self.0.fetch_max(n, std::sync::atomic::Ordering::SeqCst);
    }

    fn get(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}
