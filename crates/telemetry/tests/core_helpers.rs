//! What business code calls: failures, events, tenants, retries, and the kit itself.

use std::time::Duration;

use opentelemetry::trace::Status;
use telemetry::{Failure, Retry, testing};

#[derive(Debug, thiserror::Error)]
#[error("payment failed")]
struct PaymentError(#[source] ProcessorError);

#[derive(Debug, thiserror::Error)]
#[error("the processor did not answer")]
struct ProcessorError(#[source] std::io::Error);

impl Failure for PaymentError {
    fn error_type(&self) -> &'static str {
        "processor_unavailable"
    }

    fn stage(&self) -> &'static str {
        "charge"
    }
}

#[tracing::instrument(name = "processPayment", skip_all)]
async fn process_payment() -> Result<(), PaymentError> {
    let error = PaymentError(ProcessorError(std::io::Error::other("connection reset")));
    telemetry::record_failure(&error);
    Err(error)
}

#[tokio::test]
async fn a_failure_is_on_its_span_with_type_stage_and_causes() {
    let recorded = testing::trace("test", process_payment()).await;
    assert!(recorded.result.is_err());
    let span = recorded.span("processPayment");
    assert_eq!(span.status, Status::error("payment failed"));
    let attribute = |key| recorded.attribute("processPayment", key);
    assert_eq!(
        attribute("error.type").as_deref(),
        Some("processor_unavailable")
    );
    assert_eq!(attribute("error.stage").as_deref(), Some("charge"));
    let exception = &span.events[0];
    assert_eq!(exception.name, "exception");
    let texts: Vec<_> = exception
        .attributes
        .iter()
        .map(|attribute| format!("{} = {}", attribute.key, attribute.value))
        .collect();
    insta::assert_snapshot!(texts.join("\n"), @r"
    exception.type = processor_unavailable
    exception.message = payment failed
    exception.stacktrace = caused by: the processor did not answer
    caused by: connection reset
    ");
}

#[derive(Debug, thiserror::Error)]
#[error("item_42 is out of stock")]
struct OutOfStock;

impl Failure for OutOfStock {
    fn error_type(&self) -> &'static str {
        "out_of_stock"
    }

    fn stage(&self) -> &'static str {
        "check_inventory"
    }

    fn is_refusal(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_leaves_the_span_without_an_error() {
    let recorded = testing::trace("test", async { telemetry::record_failure(&OutOfStock) }).await;
    let span = recorded.span("test");
    assert_eq!(span.status, Status::Unset);
    assert_eq!(recorded.attribute("test", "error.type"), None);
    assert_eq!(span.events[0].name, "refused");
}

#[tokio::test]
async fn a_caller_that_handles_the_error_stays_as_it_is() {
    let recorded = testing::trace("test", async {
        let _handled = process_payment().await;
    })
    .await;
    insta::assert_snapshot!(recorded.shape(), @r"
    test
      processPayment (exception) [error: processor_unavailable]
    ");
}

#[tokio::test]
async fn an_event_stands_on_the_current_span() {
    let recorded = testing::trace("test", async {
        let attributes = [opentelemetry::KeyValue::new(
            "cache.key",
            "inventory:item_42",
        )];
        telemetry::event("cache miss", attributes);
    })
    .await;
    let event = &recorded.span("test").events[0];
    assert_eq!(event.name, "cache miss");
    assert_eq!(event.attributes.len(), 1);
}

#[tokio::test]
async fn without_a_span_the_helpers_do_nothing() {
    telemetry::event("cache miss", []);
    telemetry::record_failure(&PaymentError(ProcessorError(std::io::Error::other(
        "reset",
    ))));
    assert_eq!(telemetry::current_trace_id(), None);
    assert_eq!(telemetry::current_tenant(), None);
}

#[tokio::test]
async fn inside_a_trace_its_id_can_be_told() {
    let recorded = testing::trace("test", async { telemetry::current_trace_id() }).await;
    assert_eq!(recorded.result, Some(recorded.trace_id.to_string()));
}

#[tokio::test]
async fn a_tenant_reaches_spawned_work_and_stored_context() {
    let recorded = testing::trace("test", async {
        telemetry::with_tenant("acme", async {
            let carrier = telemetry::TraceCarrier::capture();
            let spawned = telemetry::spawn(async { telemetry::current_tenant() });
            (spawned.await.unwrap(), carrier)
        })
        .await
    })
    .await;
    let (tenant, carrier) = &recorded.result;
    assert_eq!(tenant.as_deref(), Some("acme"));
    assert_eq!(carrier.baggage.as_deref(), Some("tenant.id=acme"));
    let trace_id = recorded.trace_id.to_string();
    assert!(carrier.traceparent.as_deref().unwrap().contains(&trace_id));
}

#[tokio::test]
async fn each_attempt_is_a_span_that_knows_its_number() {
    #[tracing::instrument(name = "attempt", skip_all, fields(retry.attempt = telemetry::current_attempt(&opentelemetry::Context::current()).map(i64::from)))]
    async fn attempt() -> Result<(), &'static str> {
        Err("busy")
    }
    let retry = Retry::new(3).base_delay(Duration::from_millis(1));
    let recorded = testing::trace("test", retry.run(attempt, |_| true)).await;
    let numbers: Vec<_> = recorded
        .spans_named("attempt")
        .map(|span| testing::attribute(span, "retry.attempt").map(ToString::to_string))
        .collect();
    assert_eq!(
        numbers,
        ["0", "1", "2"].map(|number| Some(number.to_owned()))
    );
}

#[tokio::test]
async fn untraced_work_makes_no_spans() {
    let recorded = testing::trace("test", async {
        telemetry::untraced(async {
            tracing::info_span!("poll").in_scope(|| {});
        })
        .await;
        tracing::info_span!("work").in_scope(|| {});
    })
    .await;
    assert_eq!(recorded.shape(), "test\n  work\n");
}

#[tokio::test]
async fn traces_of_parallel_tests_do_not_mix() {
    let one = testing::trace("one", async {
        let other = testing::trace("other", async {
            tracing::info_span!("inside").in_scope(|| {});
        });
        telemetry::spawn_detached(other).await.unwrap().shape()
    })
    .await;
    assert_eq!(one.shape(), "one\n");
    assert_eq!(one.result, "other\n  inside\n");
}

#[tokio::test]
async fn a_trace_is_complete_only_when_its_last_span_has_ended() {
    let recorded = testing::trace("test", async {
        // Not awaited: the kit waits for it.
        telemetry::spawn(async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            tracing::info_span!("late").in_scope(|| {});
        });
        tracing::info_span!("early").in_scope(|| {});
    })
    .await;
    assert!(recorded.shape().contains("early"));
}

#[tokio::test]
async fn the_tree_answers_questions_about_structure() {
    let recorded = testing::trace("test", async {
        let _handled = process_payment().await;
        tracing::info_span!("step", order.item_count = 3_i64).in_scope(|| {});
    })
    .await;
    let tree = recorded.tree();
    assert!(tree.has_single_root());
    assert!(tree.orphans().is_empty());
    assert_eq!(tree.len(), 3);
    let failed = tree.find(|span| span.name == "processPayment").unwrap();
    assert!(tree.span(failed).is_error());
    assert_eq!(tree.span(failed).text("error.stage"), Some("charge"));
    assert_eq!(tree.span(failed).events[0].name, "exception");
    let step = tree.find(|span| span.name == "step").unwrap();
    assert_eq!(tree.span(step).int("order.item_count"), Some(3));
    assert_eq!(tree.parent(step), tree.find(|span| span.name == "test"));
}
