//! Processing one message inside its span.

use std::{panic::AssertUnwindSafe, str::FromStr, time::Instant};

use futures_util::FutureExt as _;
use opentelemetry::{
    Context, KeyValue,
    baggage::{BaggageExt as _, KeyValueMetadata},
    context::FutureExt as _,
    trace::TraceContextExt as _,
};
use opentelemetry_semantic_conventions::attribute::MESSAGING_MESSAGE_ID;

use super::{message::Message, queue::Queue, span::Operation};
use crate::{
    Failure, SpanGuard, attributes::TENANT_ID, error::mark_error, record_failure,
    span_guard::PANIC, tenant::tenant_of,
};

/// How `process {queue}` is tied to the context that came with the message. The link is always
/// there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProcessParent {
    /// As its child: one tree from the request to what came of it.
    #[default]
    Creation,
    /// By the link alone, in a trace of its own: what the conventions recommend where a trace
    /// that lasts for hours is in the way.
    LinkOnly,
}

impl FromStr for ProcessParent {
    type Err = UnknownProcessParent;

    /// Reads `creation` or `link_only`, for a setting.
    fn from_str(text: &str) -> Result<Self, UnknownProcessParent> {
        match text {
            "creation" => Ok(Self::Creation),
            "link_only" => Ok(Self::LinkOnly),
            _ => Err(UnknownProcessParent(text.to_owned())),
        }
    }
}

/// A setting that is no [`ProcessParent`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `creation` nor `link_only`")]
pub struct UnknownProcessParent(String);

/// How a handler ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processed {
    Done,
    Failed,
}

/// Runs `handler` inside `process {queue}` and deletes the message when it is done. A panic of
/// the handler counts as a failure of this one message.
pub(super) async fn process<F, E>(
    queue: &Queue,
    message: &Message,
    parent: ProcessParent,
    handler: impl FnOnce(Message) -> F,
) -> Processed
where
    F: Future<Output = Result<(), E>>,
    E: Failure,
{
    let started = Instant::now();
    let guard = start(queue, message, parent);
    let context = guard.context().clone();
    let work = async {
        let handled = AssertUnwindSafe(async { handler(message.clone()).await })
            .catch_unwind()
            .await;
        let error_type = match &handled {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                record_failure(error);
                tracing::warn!(
                    queue = queue.name(),
                    message.id = %message.id,
                    message.receive_count = i64::from(message.receive_count),
                    error.type = error.error_type(),
                    error = %error,
                    "message not processed; it will be delivered again"
                );
                Some(error.error_type())
            }
            Err(_panic) => {
                mark_error(
                    &Context::current().span(),
                    PANIC,
                    "the handler of the message panicked",
                );
                tracing::error!(
                    queue = queue.name(),
                    message.id = %message.id,
                    message.receive_count = i64::from(message.receive_count),
                    "the handler of the message panicked; it will be delivered again"
                );
                Some(PANIC)
            }
        };
        queue
            .destination()
            .record(Operation::Process, started.elapsed(), error_type);
        if error_type.is_some() {
            return Processed::Failed;
        }
        if let Err(error) = queue.delete(message).await {
            tracing::warn!(
                queue = queue.name(),
                message.id = %message.id,
                error = %error,
                "processed message not deleted; it will be delivered again"
            );
        }
        Processed::Done
    };
    let processed = work.with_context(context).await;
    guard.end();
    processed
}

fn start(queue: &Queue, message: &Message, parent: ProcessParent) -> SpanGuard {
    let creation = message.carrier.context();
    let span_context = creation.span().span_context().clone();
    let id = KeyValue::new(MESSAGING_MESSAGE_ID, message.id.to_string());
    let tenant = tenant_of(&creation).map(|tenant| KeyValue::new(TENANT_ID, tenant));
    let mut builder = queue.destination().span(
        Operation::Process,
        queue.url(),
        [id].into_iter().chain(tenant),
    );
    if span_context.is_valid() {
        builder = builder.with_links(vec![opentelemetry::trace::Link::with_context(span_context)]);
    }
    let parent = match parent {
        ProcessParent::Creation => creation,
        ProcessParent::LinkOnly => baggage_only(&creation),
    };
    SpanGuard::start(builder, &parent)
}

/// A context without a span: the tenant is inherited, the trace is not.
fn baggage_only(context: &Context) -> Context {
    Context::new().with_baggage(context.baggage().iter().map(|(key, (value, metadata))| {
        KeyValueMetadata::new(key.clone(), value.clone(), metadata.clone())
    }))
}
