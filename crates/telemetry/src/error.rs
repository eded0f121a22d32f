//! Putting a failure onto the span it happened in.

use std::error::Error;

use opentelemetry::{
    Context, KeyValue,
    trace::{SpanRef, Status, TraceContextExt as _},
};

use crate::attributes::{
    ERROR_STAGE, ERROR_TYPE, EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE, EXCEPTION_TYPE,
};

/// An error that knows how to be told apart from others in telemetry.
///
/// ```
/// use telemetry::Failure;
///
/// #[derive(Debug, thiserror::Error)]
/// enum ChargeError {
///     #[error("the processor did not answer")]
///     Processor(#[source] std::io::Error),
/// }
///
/// impl Failure for ChargeError {
///     fn error_type(&self) -> &'static str {
///         match self {
///             Self::Processor(_) => "processor_unavailable",
///         }
///     }
///     fn stage(&self) -> &'static str {
///         "charge"
///     }
/// }
/// ```
pub trait Failure: Error {
    /// The class of error, `error.type`: few different values, no ids, no messages.
    fn error_type(&self) -> &'static str;

    /// The business stage that failed, `error.stage`: `fraud_check`, `charge`, …
    fn stage(&self) -> &'static str;

    /// Whether nothing failed and the caller was told no: an item that is out of stock, a
    /// request that cannot be read. As over HTTP, where a 4xx leaves the server's span as it
    /// is, [`record_failure`] then marks no error.
    fn is_refusal(&self) -> bool {
        false
    }
}

/// Puts `error` onto the current span: status Error with its message, `error.type`,
/// `error.stage`, and an `exception` event with the chain of causes. A
/// [refusal](Failure::is_refusal) is an answer: it leaves the event `refused` and no error.
///
/// Call it where the failing business step ends. It does not log: log once, where
/// the failure is handled. Outside of a recording span it does nothing.
///
/// The attributes are set through the OpenTelemetry span, so they need not be
/// declared as fields of the tracing span.
pub fn record_failure(error: &impl Failure) {
    Context::map_current(|context| {
        let span = context.span();
        if !span.is_recording() {
            return;
        }
        if error.is_refusal() {
            let reason = KeyValue::new(ERROR_TYPE, error.error_type());
            span.add_event("refused", vec![reason]);
            return;
        }
        mark_error(&span, error.error_type(), error.to_string());
        span.set_attribute(KeyValue::new(ERROR_STAGE, error.stage()));
        add_exception(&span, error.error_type(), error);
    });
}

/// An error with its causes in one line, for a log: `orders could not be stored: timed out`.
///
/// ```
/// # fn parse() -> Result<u8, std::num::ParseIntError> { "x".parse() }
/// if let Err(error) = parse() {
///     tracing::warn!(error = %telemetry::chain(&error), "the quantity cannot be read");
/// }
/// ```
pub fn chain(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |error| (*error).source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Marks `span` as failed: status Error with `description`, and `error.type`.
pub(crate) fn mark_error(
    span: &SpanRef<'_>,
    error_type: impl Into<String>,
    description: impl Into<String>,
) {
    span.set_attribute(KeyValue::new(ERROR_TYPE, error_type.into()));
    span.set_status(Status::error(description.into()));
}

/// Adds the `exception` event: what was said, and the causes below it, outermost
/// first. Rust errors carry no stack, so `exception.stacktrace` holds the causes.
pub(crate) fn add_exception(span: &SpanRef<'_>, exception_type: &str, error: &dyn Error) {
    let mut attributes = vec![
        KeyValue::new(EXCEPTION_TYPE, exception_type.to_owned()),
        KeyValue::new(EXCEPTION_MESSAGE, error.to_string()),
    ];
    let causes = causes(error);
    if !causes.is_empty() {
        attributes.push(KeyValue::new(EXCEPTION_STACKTRACE, causes));
    }
    span.add_event("exception", attributes);
}

/// The chain below `error`, one line per cause.
fn causes(error: &dyn Error) -> String {
    std::iter::successors(error.source(), |cause| (*cause).source())
        .map(|cause| format!("caused by: {cause}"))
        .collect::<Vec<_>>()
        .join("\n")
}
