//! Messages that cannot be processed.

use std::time::Duration;

use opentelemetry::trace::Status;
use telemetry::{
    TraceCarrier,
    sqs::{Consumer, Queue},
    testing,
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    BooksClosed, Endpoint, Seen, client, consume_until, counts, eventually, impatient,
};

#[tokio::test]
async fn a_failed_message_is_delivered_again_until_it_succeeds() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    let seen = Seen::default();
    let recorded = testing::trace("checkout", async {
        queue
            .send("{}".to_owned(), &TraceCarrier::capture())
            .await
            .unwrap();
        let handler_saw = seen.clone();
        consume_until(
            impatient(&queue),
            move |message| {
                let first = message.receive_count == 1;
                handler_saw.push(message);
                async move { if first { Err(BooksClosed) } else { Ok(()) } }
            },
            async || counts(&endpoint.client, &queue).await == (0, 0) && seen.all().len() == 2,
        )
        .await;
    })
    .await;
    assert_eq!(
        recorded.shape(),
        "checkout\n  send events PRODUCER\n    \
         process events CONSUMER (exception) [error: books_closed]\n    \
         process events CONSUMER\n      delete events CLIENT\n"
    );
    let failed = recorded.spans_named("process events").next().unwrap();
    assert_eq!(
        testing::attribute(failed, "error.stage").unwrap().as_str(),
        "post_movement"
    );
    assert_eq!(failed.status, Status::error("the books are closed"));
}

#[tokio::test]
async fn a_message_that_always_fails_ends_in_the_dead_letter_queue_with_its_context() {
    let endpoint = Endpoint::start().await;
    let (queue, dead) = endpoint.queue("events", 2).await;
    let recorded = testing::trace("checkout", async {
        queue
            .send("{}".to_owned(), &TraceCarrier::capture())
            .await
            .unwrap();
        consume_until(
            impatient(&queue),
            |_| async { Err(BooksClosed) },
            async || counts(&endpoint.client, &dead).await.0 == 1,
        )
        .await;
    })
    .await;
    assert_eq!(recorded.spans_named("process events").count(), 2);
    assert_eq!(recorded.spans_named("delete events").count(), 0);
    let letters = dead.receive(1, Duration::from_secs(1)).await.unwrap();
    let letter = letters[0].carrier.traceparent.as_deref().unwrap();
    assert!(letter.contains(&recorded.trace_id.to_string()), "{letter}");
}

#[tokio::test]
async fn a_panic_of_a_handler_is_one_failed_message_and_no_more() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    let seen = Seen::default();
    let recorded = testing::trace("checkout", async {
        queue
            .send("{}".to_owned(), &TraceCarrier::capture())
            .await
            .unwrap();
        let handler_saw = seen.clone();
        consume_until(
            impatient(&queue),
            move |message| {
                let first = message.receive_count == 1;
                handler_saw.push(message);
                async move {
                    assert!(!first, "a bug in the handler");
                    Ok(())
                }
            },
            async || seen.all().len() == 2,
        )
        .await;
    })
    .await;
    assert_eq!(
        recorded.shape(),
        "checkout\n  send events PRODUCER\n    process events CONSUMER [error: panic]\n    \
         process events CONSUMER\n      delete events CLIENT\n"
    );
}

#[tokio::test]
async fn the_pause_after_a_failure_keeps_the_message_hidden() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    testing::install();
    queue
        .send("{}".to_owned(), &TraceCarrier::default())
        .await
        .unwrap();
    let seen = Seen::default();
    let handler_saw = seen.clone();
    consume_until(
        impatient(&queue).retry_delay(Duration::from_secs(600), Duration::from_secs(600)),
        move |message| {
            handler_saw.push(message);
            async { Err(BooksClosed) }
        },
        async || seen.all().len() == 1,
    )
    .await;
    assert_eq!(counts(&endpoint.client, &queue).await, (0, 1));
}

#[tokio::test]
async fn a_long_running_handler_keeps_its_message_to_itself() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    testing::install();
    queue
        .send("{}".to_owned(), &TraceCarrier::default())
        .await
        .unwrap();
    let (begun, ended) = (Seen::default(), Seen::default());
    let consumer = impatient(&queue)
        .concurrency(2)
        .visibility(Duration::from_secs(2));
    let (begins, ends) = (begun.clone(), ended.clone());
    consume_until(
        consumer,
        move |message| {
            let (begins, ends) = (begins.clone(), ends.clone());
            async move {
                begins.push(message.clone());
                // Longer than the visibility: without a heartbeat the other slot would get it.
                tokio::time::sleep(Duration::from_millis(4500)).await;
                ends.push(message);
                Ok(())
            }
        },
        async || !ended.all().is_empty(),
    )
    .await;
    assert_eq!(begun.all().len(), 1);
    assert_eq!(counts(&endpoint.client, &queue).await, (0, 0));
}

#[tokio::test]
async fn malformed_context_is_ignored_and_the_message_processed() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("malformed-events", 5).await;
    testing::install();
    let nonsense = TraceCarrier {
        traceparent: Some("00-nonsense".to_owned()),
        tracestate: Some("=,=".to_owned()),
        baggage: Some("%%%".to_owned()),
    };
    telemetry::untraced(queue.send("{}".to_owned(), &nonsense))
        .await
        .unwrap();
    let seen = Seen::default();
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
    assert_eq!(seen.all()[0].carrier, nonsense);
    let finished = testing::finished_spans();
    let process = finished
        .iter()
        .find(|span| span.name == "process malformed-events")
        .unwrap();
    assert_eq!(process.links.iter().count(), 0);
}

#[tokio::test]
async fn a_consumer_survives_a_queue_that_cannot_be_reached() {
    let queue = Queue::new(
        client("http://127.0.0.1:1"),
        "unreachable-events",
        "http://127.0.0.1:1/000000000000/unreachable-events",
    );
    testing::install();
    assert!(queue.receive(1, Duration::ZERO).await.is_err());
    let stop = CancellationToken::new();
    let running = telemetry::spawn_detached(
        Consumer::new(queue).run(stop.clone(), |_| async { Ok::<(), BooksClosed>(()) }),
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!running.is_finished());
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), running)
        .await
        .unwrap()
        .unwrap();
    eventually("nothing but silence", async || {
        testing::finished_spans()
            .iter()
            .all(|span| !span.name.contains("unreachable-events"))
    })
    .await;
}
