//! A span that cannot be forgotten: it ends when dropped, and if nobody has told
//! it the outcome by then, it says that the work was cut short.

use opentelemetry::{
    Context,
    trace::{SpanBuilder, SpanKind, SpanRef, TraceContextExt as _, Tracer as _},
};

use crate::{attributes, error::mark_error};

/// `error.type` of work whose future was dropped before it was done.
pub(crate) const CANCELLED: &str = "cancelled";
/// `error.type` of work that panicked.
pub(crate) const PANIC: &str = "panic";

/// Owns the end of one OpenTelemetry span.
///
/// A span that is merely dropped ends with status Unset, which reads as success.
/// This guard marks it instead:
///
/// - a panic is an error, `error.type` = `panic`, whatever the kind of span;
/// - a cancelled future is an error, `error.type` = `cancelled`, for CLIENT,
///   PRODUCER, CONSUMER and INTERNAL spans: the work they stand for was not done;
/// - a cancelled SERVER span bears the attribute `error.type` = `cancelled` but
///   keeps status Unset: the caller went away, which is no fault of this service
///   and must not raise its error rate.
#[derive(Debug)]
pub(crate) struct SpanGuard {
    context: Context,
    kind: SpanKind,
    settled: bool,
}

impl SpanGuard {
    /// Starts the span that `builder` describes as a child of `parent`.
    pub(crate) fn start(builder: SpanBuilder, parent: &Context) -> Self {
        let kind = builder.span_kind.clone().unwrap_or(SpanKind::Internal);
        let span = crate::tracer().build_with_context(builder, parent);
        let context = parent.with_span(span);
        Self {
            context,
            kind,
            settled: false,
        }
    }

    /// The context in which this span is the active one: attach it per poll with
    /// `FutureExt::with_context`, inject it into what goes out.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The span, to set attributes on.
    pub(crate) fn span(&self) -> SpanRef<'_> {
        self.context.span()
    }

    /// Says that the outcome is known and on the span. The span still ends when
    /// this guard is dropped, so that a streamed body can keep it open.
    pub(crate) fn settle(&mut self) {
        self.settled = true;
    }

    /// Says that the outcome is known and ends the span now.
    pub(crate) fn end(mut self) {
        self.settled = true;
    }

    /// Marks the span as failed and ends it.
    pub(crate) fn fail(mut self, error_type: impl Into<String>, description: impl Into<String>) {
        mark_error(&self.context.span(), error_type, description);
        self.settled = true;
    }
}

impl Drop for SpanGuard {
    fn drop(&mut self) {
        let span = self.context.span();
        if !self.settled && span.is_recording() {
            if std::thread::panicking() {
                mark_error(&span, PANIC, "the work panicked");
            } else if self.kind == SpanKind::Server {
                span.set_attribute(opentelemetry::KeyValue::new(
                    attributes::ERROR_TYPE,
                    CANCELLED,
                ));
            } else {
                mark_error(&span, CANCELLED, "the work was cancelled");
            }
        }
        span.end();
    }
}

#[cfg(test)]
mod tests;
