//! A queue: sending to it, receiving from it, and settling what was received.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use aws_sdk_sqs::{
    Client,
    operation::{RequestId as _, get_queue_url::GetQueueUrlError},
    types::MessageSystemAttributeName,
};
use opentelemetry::{
    Context, KeyValue,
    trace::{Link, TraceContextExt as _},
};
use opentelemetry_semantic_conventions::attribute::{
    AWS_REQUEST_ID, MESSAGING_BATCH_MESSAGE_COUNT, MESSAGING_MESSAGE_ID,
};

use super::{
    error::QueueError,
    message::{CONTEXT_ATTRIBUTES, Message, MessageId, context_attributes},
    span::{Destination, Operation},
};
use crate::{SpanGuard, TraceCarrier, attributes::TENANT_ID, tenant::tenant_of};

/// Most messages SQS hands over at a time.
pub(super) const MAX_BATCH: usize = 10;
/// Longest wait SQS allows a receive.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// Longest visibility timeout SQS allows.
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// A queue of Amazon SQS. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    name: Arc<str>,
    url: Arc<str>,
    destination: Arc<Destination>,
}

impl Queue {
    /// A queue whose URL is known.
    pub fn new(client: Client, name: &str, url: &str) -> Self {
        Self {
            client,
            name: name.into(),
            url: url.into(),
            destination: Arc::new(Destination::new(name, url)),
        }
    }

    /// Asks SQS for the URL of the queue called `name`.
    ///
    /// # Errors
    /// [`QueueError::Missing`] when there is no such queue, otherwise why SQS did not say.
    pub async fn resolve(client: Client, name: &str) -> Result<Self, QueueError> {
        let answer = client.get_queue_url().queue_name(name).send().await;
        let url = match answer {
            Ok(answer) => answer.queue_url,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetQueueUrlError::is_queue_does_not_exist) =>
            {
                None
            }
            Err(error) => return Err(QueueError::call("resolve", name, error)),
        };
        match url {
            Some(url) => Ok(Self::new(client, name, &url)),
            None => Err(QueueError::Missing {
                name: name.to_owned(),
            }),
        }
    }

    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The queue's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a message. `creation` is the context in which it came to be: the one captured with
    /// the outbox row, or [`TraceCarrier::capture`] when it is sent on the spot.
    ///
    /// Where telemetry is suppressed, the message carries `creation` itself.
    ///
    /// # Errors
    /// When SQS is not reached or refuses the message. It may have been sent all the same.
    pub async fn send(
        &self,
        body: String,
        creation: &TraceCarrier,
    ) -> Result<MessageId, QueueError> {
        let parent = creation.context();
        let suppressed = Context::map_current(Context::is_telemetry_suppressed);
        let guard = (!suppressed).then(|| {
            let tenant = tenant_of(&parent).map(|tenant| KeyValue::new(TENANT_ID, tenant));
            SpanGuard::start(
                self.destination.span(Operation::Send, &self.url, tenant),
                &parent,
            )
        });
        let carrier = match &guard {
            Some(guard) => TraceCarrier::from_context(guard.context()),
            None => creation.clone(),
        };
        let started = Instant::now();
        let result = self
            .client
            .send_message()
            .queue_url(&*self.url)
            .message_body(body)
            .set_message_attributes(Some(context_attributes(&carrier)))
            .send()
            .await;
        let request_id = result
            .as_ref()
            .map_or_else(|error| error.request_id(), |sent| sent.request_id())
            .map(str::to_owned);
        let result = result
            .map(|sent| MessageId::from(sent.message_id.unwrap_or_default()))
            .map_err(|error| QueueError::call("send to", &self.name, error));
        if let (Some(guard), Ok(id)) = (&guard, &result) {
            guard
                .span()
                .set_attribute(KeyValue::new(MESSAGING_MESSAGE_ID, id.to_string()));
        }
        self.settle(guard, Operation::Send, started, request_id, &result);
        result
    }

    /// Waits up to `wait` for up to `max` messages, of which SQS allows 20 seconds and ten.
    ///
    /// When messages come, the call becomes a span `receive {queue}` in a trace of its own, with
    /// a link to the context of each; an empty answer leaves no trace.
    ///
    /// # Errors
    /// When SQS is not reached or refuses.
    pub async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Message>, QueueError> {
        self.receive_for(max, wait, None).await
    }

    /// [`receive`](Self::receive), hiding the messages from others for `visibility`.
    pub(super) async fn receive_for(
        &self,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<Message>, QueueError> {
        let since = SystemTime::now();
        let started = Instant::now();
        let call = self
            .client
            .receive_message()
            .queue_url(&*self.url)
            .max_number_of_messages(i32::try_from(max.clamp(1, MAX_BATCH)).unwrap_or(1))
            .wait_time_seconds(seconds(wait.min(MAX_WAIT)))
            .set_visibility_timeout(visibility.map(|v| seconds(v.min(MAX_VISIBILITY))))
            .set_message_attribute_names(Some(CONTEXT_ATTRIBUTES.map(str::to_owned).to_vec()))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        // The call itself must not show up: most of them come back empty.
        let received = crate::untraced(call.send())
            .await
            .map_err(|error| QueueError::call("receive from", &self.name, error));
        let received = match received {
            Ok(received) => received,
            Err(error) => {
                self.destination.record(
                    Operation::Receive,
                    started.elapsed(),
                    Some(error.error_type()),
                );
                return Err(error);
            }
        };
        let request_id = received.request_id().map(str::to_owned);
        let messages: Vec<Message> = received
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(Message::received)
            .collect();
        if !messages.is_empty() && !Context::map_current(Context::is_telemetry_suppressed) {
            self.destination
                .record(Operation::Receive, started.elapsed(), None);
            self.destination.count_consumed(messages.len());
            self.show_receive(&messages, since, request_id);
        }
        Ok(messages)
    }

    fn show_receive(&self, messages: &[Message], since: SystemTime, request_id: Option<String>) {
        let links = messages
            .iter()
            .filter_map(|message| {
                let context = message.carrier.context();
                let span_context = context.span().span_context().clone();
                span_context.is_valid().then(|| {
                    let id = KeyValue::new(MESSAGING_MESSAGE_ID, message.id.to_string());
                    Link::new(span_context, vec![id], 0)
                })
            })
            .collect();
        let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
        let more = [KeyValue::new(MESSAGING_BATCH_MESSAGE_COUNT, count)]
            .into_iter()
            .chain(request_id.map(|id| KeyValue::new(AWS_REQUEST_ID, id)));
        let builder = self
            .destination
            .span(Operation::Receive, &self.url, more)
            .with_links(links)
            .with_start_time(since);
        SpanGuard::start(builder, &Context::new()).end();
    }

    /// Deletes a message that has been processed. A span `delete {queue}` below the current one.
    ///
    /// # Errors
    /// When SQS is not reached or refuses. The message may come again.
    pub async fn delete(&self, message: &Message) -> Result<(), QueueError> {
        let parent = Context::current();
        let guard = (!parent.is_telemetry_suppressed()).then(|| {
            let id = KeyValue::new(MESSAGING_MESSAGE_ID, message.id.to_string());
            let tenant = tenant_of(&parent).map(|tenant| KeyValue::new(TENANT_ID, tenant));
            let more = [id].into_iter().chain(tenant);
            SpanGuard::start(
                self.destination.span(Operation::Delete, &self.url, more),
                &parent,
            )
        });
        let started = Instant::now();
        let result = self
            .client
            .delete_message()
            .queue_url(&*self.url)
            .receipt_handle(&message.receipt_handle)
            .send()
            .await;
        let request_id = result
            .as_ref()
            .map_or_else(|error| error.request_id(), |done| done.request_id())
            .map(str::to_owned);
        let result = result
            .map(drop)
            .map_err(|error| QueueError::call("delete from", &self.name, error));
        self.settle(guard, Operation::Delete, started, request_id, &result);
        result
    }

    /// Hides a message from others for `visibility` from now on; nothing shows it again at once.
    /// Fractions of a second are rounded up, more than SQS's twelve hours are cut. No span.
    ///
    /// # Errors
    /// When SQS is not reached or refuses.
    pub async fn change_visibility(
        &self,
        message: &Message,
        visibility: Duration,
    ) -> Result<(), QueueError> {
        self.client
            .change_message_visibility()
            .queue_url(&*self.url)
            .receipt_handle(&message.receipt_handle)
            .visibility_timeout(seconds(visibility.min(MAX_VISIBILITY)))
            .send()
            .await
            .map(drop)
            .map_err(|error| QueueError::call("change the visibility in", &self.name, error))
    }

    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Puts the outcome of a call onto its span and into the metrics.
    fn settle<T>(
        &self,
        guard: Option<SpanGuard>,
        operation: Operation,
        started: Instant,
        request_id: Option<String>,
        result: &Result<T, QueueError>,
    ) {
        let Some(guard) = guard else { return };
        if let Some(request_id) = request_id {
            guard
                .span()
                .set_attribute(KeyValue::new(AWS_REQUEST_ID, request_id));
        }
        let took = started.elapsed();
        match result {
            Ok(_) => {
                guard.end();
                self.destination.record(operation, took, None);
            }
            Err(error) => {
                guard.fail(error.error_type(), error.to_string());
                self.destination
                    .record(operation, took, Some(error.error_type()));
            }
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.name)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Whole seconds, rounded up: SQS knows no others, and never a negative number of them.
fn seconds(duration: Duration) -> i32 {
    let whole = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    i32::try_from(whole).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_whole_and_never_cut_short() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_millis(2500)), 3);
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }
}
