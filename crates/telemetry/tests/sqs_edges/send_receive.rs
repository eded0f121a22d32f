//! The context on its way through a queue.

use std::time::Duration;

use opentelemetry::{
    Context,
    trace::{SpanKind, TraceContextExt as _},
};
use telemetry::{
    TraceCarrier,
    sqs::{Queue, QueueError},
    testing,
};

use crate::support::{Endpoint, client};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_send_is_a_producer_below_the_context_the_message_was_created_in() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    let recorded = testing::trace("test", async {
        // As an outbox does: captured with the row, sent later by somebody else.
        let creation = telemetry::with_tenant("acme", async { TraceCarrier::capture() }).await;
        let sending = queue.clone();
        telemetry::spawn_detached(async move { sending.send("{}".to_owned(), &creation).await })
            .await
            .unwrap()
            .unwrap()
    })
    .await;
    assert_eq!(recorded.spans[1].name, "send events");
    assert_eq!(
        recorded.spans[1].parent_span_id,
        recorded.spans[0].span_context.span_id()
    );
    assert_eq!(recorded.spans[1].span_kind, SpanKind::Producer);
    let url = url::Url::parse(queue.url()).unwrap();
    for (key, expected) in [
        ("messaging.system", "aws_sqs"),
        ("messaging.operation.name", "send"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.name", "events"),
        ("messaging.message.id", recorded.result.as_str()),
        ("aws.sqs.queue.url", queue.url()),
        ("server.address", "127.0.0.1"),
        ("server.port", &url.port().unwrap().to_string()),
        ("tenant.id", "acme"),
    ] {
        assert_eq!(
            recorded.attribute("send events", key).as_deref(),
            Some(expected),
            "{key}"
        );
    }
    assert!(
        recorded
            .attribute("send events", "aws.request_id")
            .is_some()
    );

    let received = queue.receive(10, SECOND).await.unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].id, recorded.result);
    assert_eq!(received[0].body, "{}");
    assert_eq!(received[0].receive_count, 1);
    let context = received[0].carrier.context();
    assert_eq!(context.span().span_context().trace_id(), recorded.trace_id);
    assert_eq!(
        context.span().span_context().span_id(),
        recorded.spans[1].span_context.span_id()
    );
    assert_eq!(
        received[0].carrier.baggage.as_deref(),
        Some("tenant.id=acme")
    );
}

#[tokio::test]
async fn only_the_fields_that_have_a_value_are_sent() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    testing::trace("test", async {
        queue
            .send("{}".to_owned(), &TraceCarrier::capture())
            .await
            .unwrap();
    })
    .await;
    let raw = endpoint
        .client
        .receive_message()
        .queue_url(queue.url())
        .message_attribute_names("All")
        .wait_time_seconds(1)
        .send()
        .await
        .unwrap();
    let attributes = raw.messages()[0].message_attributes().unwrap();
    // An empty `tracestate` or `baggage` would have been refused.
    assert_eq!(attributes.keys().collect::<Vec<_>>(), ["traceparent"]);
}

#[tokio::test]
async fn a_foreign_tracestate_and_sampling_decision_pass_through() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    testing::install();
    let creation = TraceCarrier {
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00".to_owned()),
        tracestate: Some("vendor=value".to_owned()),
        baggage: None,
    };
    queue.send("{}".to_owned(), &creation).await.unwrap();
    let received = queue.receive(1, SECOND).await.unwrap();
    let context = received[0].carrier.context();
    let span_context = context.span().span_context().clone();
    assert_eq!(
        span_context.trace_id().to_string(),
        "0af7651916cd43dd8448eb211c80319c"
    );
    assert!(!span_context.is_sampled());
    assert_eq!(span_context.trace_state().get("vendor"), Some("value"));
}

#[tokio::test]
async fn a_receive_is_a_trace_of_its_own_with_a_link_per_message() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("linked-events", 5).await;
    let recorded = testing::trace("test", async {
        for _ in 0..2 {
            queue
                .send("{}".to_owned(), &TraceCarrier::capture())
                .await
                .unwrap();
        }
        let received = queue.receive(10, SECOND).await.unwrap();
        assert_eq!(received.len(), 2);
    })
    .await;
    // Not in the trace it was called in.
    assert_eq!(recorded.spans_named("receive linked-events").count(), 0);
    let finished = testing::finished_spans();
    let receive = finished
        .iter()
        .find(|span| span.name == "receive linked-events")
        .unwrap();
    assert_eq!(receive.span_kind, SpanKind::Client);
    assert_eq!(
        testing::attribute(receive, "messaging.batch.message_count")
            .unwrap()
            .as_str(),
        "2"
    );
    let mut linked: Vec<_> = receive
        .links
        .iter()
        .map(|link| link.span_context.span_id())
        .collect();
    let mut sent: Vec<_> = recorded
        .spans_named("send linked-events")
        .map(|span| span.span_context.span_id())
        .collect();
    linked.sort_by_key(ToString::to_string);
    sent.sort_by_key(ToString::to_string);
    assert_eq!(linked, sent);
    assert!(receive.links.iter().all(|link| {
        link.attributes
            .iter()
            .any(|a| a.key.as_str() == "messaging.message.id")
    }));
}

#[tokio::test]
async fn an_empty_receive_leaves_no_trace() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("silent-events", 5).await;
    testing::install();
    assert!(queue.receive(10, Duration::ZERO).await.unwrap().is_empty());
    assert!(
        testing::finished_spans()
            .iter()
            .all(|span| span.name != "receive silent-events")
    );
}

#[tokio::test]
async fn a_message_of_a_stranger_without_context_is_received() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    endpoint
        .client
        .send_message()
        .queue_url(queue.url())
        .message_body("hello")
        .send()
        .await
        .unwrap();
    let received = queue.receive(1, SECOND).await.unwrap();
    assert_eq!(received[0].body, "hello");
    assert!(
        !Context::new()
            .with_remote_span_context(received[0].carrier.context().span().span_context().clone())
            .span()
            .span_context()
            .is_valid()
    );
}

#[tokio::test]
async fn a_missing_queue_is_named_with_what_to_do() {
    let endpoint = Endpoint::start().await;
    endpoint.queue("events", 5).await;
    let found = Queue::resolve(endpoint.client.clone(), "events")
        .await
        .unwrap();
    assert_eq!(found.name(), "events");
    let missing = Queue::resolve(endpoint.client, "nothing")
        .await
        .unwrap_err();
    assert!(matches!(missing, QueueError::Missing { .. }));
    assert!(
        missing
            .to_string()
            .contains("`nothing` does not exist; create it")
    );
}

#[tokio::test]
async fn a_send_that_fails_is_an_error_span() {
    let nowhere = client("http://127.0.0.1:1");
    let queue = Queue::new(nowhere, "events", "http://127.0.0.1:1/000000000000/events");
    let recorded = testing::trace("test", async {
        queue.send("{}".to_owned(), &TraceCarrier::capture()).await
    })
    .await;
    let error = recorded.result.as_ref().unwrap_err();
    assert_eq!(error.error_type(), "dispatch");
    assert!(
        error.to_string().starts_with("cannot send to `events`: "),
        "{error}"
    );
    assert!(testing::is_error(&recorded.spans[1]));
    assert_eq!(
        recorded.attribute("send events", "error.type").as_deref(),
        Some("dispatch")
    );
}

#[tokio::test]
async fn where_telemetry_is_suppressed_the_message_carries_the_context_it_was_given() {
    let endpoint = Endpoint::start().await;
    let (queue, _) = endpoint.queue("events", 5).await;
    let recorded = testing::trace("test", async {
        let creation = TraceCarrier::capture();
        telemetry::untraced(queue.send("{}".to_owned(), &creation))
            .await
            .unwrap();
        creation
    })
    .await;
    assert_eq!(recorded.shape(), "test\n");
    let received = queue.receive(1, SECOND).await.unwrap();
    assert_eq!(received[0].carrier, recorded.result);
}
