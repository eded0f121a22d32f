//! A panic or a cancelled future must not leave a span that reads as success.

use std::{future::pending, time::Duration};

use opentelemetry::{
    Context,
    context::FutureExt as _,
    trace::{SpanBuilder, SpanKind, Status},
};

use super::SpanGuard;
use crate::testing;

fn start(kind: SpanKind) -> SpanGuard {
    SpanGuard::start(
        SpanBuilder::from_name("work").with_kind(kind),
        &Context::current(),
    )
}

async fn cancelled(kind: SpanKind) -> testing::Recorded<()> {
    testing::trace("test", async {
        let work = async {
            let guard = start(kind);
            pending::<()>().with_context(guard.context().clone()).await;
            guard.end();
        };
        let answer = tokio::time::timeout(Duration::from_millis(1), work).await;
        assert!(answer.is_err(), "the work never ends by itself");
    })
    .await
}

#[tokio::test]
async fn cancelled_work_is_an_error_for_the_one_who_asked_for_it() {
    for kind in [
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
        SpanKind::Internal,
    ] {
        let recorded = cancelled(kind.clone()).await;
        let status = &recorded.span("work").status;
        assert_eq!(*status, Status::error("the work was cancelled"), "{kind:?}");
        assert_eq!(
            recorded.attribute("work", "error.type").as_deref(),
            Some("cancelled")
        );
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_is_no_error_of_the_server() {
    let recorded = cancelled(SpanKind::Server).await;
    assert_eq!(recorded.span("work").status, Status::Unset);
    assert_eq!(
        recorded.attribute("work", "error.type").as_deref(),
        Some("cancelled")
    );
}

#[tokio::test]
async fn a_panic_is_an_error_of_every_kind() {
    for kind in [SpanKind::Server, SpanKind::Client] {
        let recorded = testing::trace("test", async {
            let task = crate::spawn(async move {
                let _guard = start(kind);
                panic!("the handler is broken");
            });
            assert!(task.await.is_err());
        })
        .await;
        assert_eq!(
            recorded.span("work").status,
            Status::error("the work panicked")
        );
        assert_eq!(
            recorded.attribute("work", "error.type").as_deref(),
            Some("panic")
        );
    }
}

#[tokio::test]
async fn a_known_outcome_is_left_alone() {
    let recorded = testing::trace("test", async {
        start(SpanKind::Client).end();
        start(SpanKind::Client).fail("timeout", "no answer in 2 s");
        // A body keeps the span open after the outcome is known, and may be dropped early.
        start(SpanKind::Server).settle();
    })
    .await;
    insta::assert_snapshot!(recorded.shape(), @r"
    test
      work CLIENT
      work CLIENT [error: timeout]
      work SERVER
    ");
}
