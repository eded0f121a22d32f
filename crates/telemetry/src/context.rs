//! Questions about, and switches on, the context that is current now.

use opentelemetry::{Context, context::FutureExt as _, trace::TraceContextExt as _};

/// Runs `future` with telemetry suppressed: the edges inside it make no spans, and
/// its log records are not exported (they still reach stderr).
///
/// For loops that poll. A trace of every look into an empty table or queue costs
/// more than it tells:
///
/// ```
/// # async fn find_due_row() -> Option<u32> { None }
/// # async fn send(_: u32) {}
/// # async fn relay() {
/// // The look is not traced; the work it finds is.
/// while let Some(row) = telemetry::untraced(find_due_row()).await {
///     send(row).await;
/// }
/// # }
/// ```
pub async fn untraced<F: Future>(future: F) -> F::Output {
    future
        .with_context(Context::map_current(Context::with_telemetry_suppressed))
        .await
}

/// The id of the current trace as 32 hex digits, sampled or not; `None` outside
/// of any trace.
///
/// Put it into every error a person may see: it is the handle support asks for.
pub fn current_trace_id() -> Option<String> {
    Context::map_current(|context| {
        let span = context.span();
        let span_context = span.span_context();
        span_context
            .is_valid()
            .then(|| span_context.trace_id().to_string())
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[tokio::test]
    async fn untraced_suppresses_inside_and_not_outside() {
        assert!(untraced(async { Context::is_current_telemetry_suppressed() }).await);
        assert!(!Context::is_current_telemetry_suppressed());
    }

    #[test]
    fn an_unsampled_trace_still_has_an_id() {
        let unsampled = Context::new().with_remote_span_context(SpanContext::new(
            TraceId::from(0xab),
            SpanId::from(1),
            TraceFlags::NOT_SAMPLED,
            true,
            TraceState::default(),
        ));
        let _active = unsampled.attach();
        assert_eq!(
            current_trace_id().as_deref(),
            Some("000000000000000000000000000000ab")
        );
    }

    #[test]
    fn outside_of_a_trace_there_is_no_id() {
        assert_eq!(current_trace_id(), None);
    }
}
