//! The queue that says which orders were placed. Delivery is at least once; the story is
//! idempotent. A message that cannot be read goes, by way of SQS, to the dead-letter queue.

use std::time::Duration;

use contracts::events::Event;
use telemetry::sqs::{Consumer, Message, Queue};
use tokio_util::sync::CancellationToken;

use crate::{State, error::InvoiceError, invoice};

/// Invoices that are rendered at the same time.
const CONCURRENCY: usize = 8;

/// Pause before looking for the queue again after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Starts consuming.
pub(crate) fn start(state: &State, sqs: aws_sdk_sqs::Client, queue: String) {
    let state = state.clone();
    state.background.clone().start(move |stop| async move {
        let Some(queue) = resolve(sqs, &queue, &stop).await else {
            return;
        };
        Consumer::new(queue)
            .concurrency(CONCURRENCY)
            .run(stop, move |message| handle(state.clone(), message))
            .await;
    });
}

/// Finds the queue, however long it takes: cards are charged without it.
async fn resolve(sqs: aws_sdk_sqs::Client, name: &str, stop: &CancellationToken) -> Option<Queue> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = tokio::select! {
            resolved = telemetry::untraced(Queue::resolve(sqs.clone(), name)) => match resolved {
                Ok(queue) => return Some(queue),
                Err(error) => error,
            },
            () = stop.cancelled() => return None,
        };
        tracing::warn!(queue = name, error = %error, "the queue is not there; looking again soon");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return None,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn handle(state: State, message: Message) -> Result<(), InvoiceError> {
    let Event::OrderPlaced(order) = Event::parse(&message.body)?;
    telemetry::with_tenant(order.tenant_id.as_str(), invoice::render(&state, &order)).await
}
