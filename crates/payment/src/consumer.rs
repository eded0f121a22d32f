//! The queue that says which orders were placed. Delivery is at least once; the story is
//! idempotent. A message that cannot be read goes, by way of SQS, to the dead-letter queue.

use contracts::events::Event;
use telemetry::sqs::{Consumer, Message};

use crate::{State, error::InvoiceError, invoice};

/// Invoices that are rendered at the same time.
const CONCURRENCY: usize = 8;

/// Starts consuming.
pub(crate) fn start(state: &State, sqs: aws_sdk_sqs::Client, queue: String) {
    let state = state.clone();
    state.background.clone().start(move |stop| async move {
        let Some(queue) = service::find_queue(&sqs, &queue, &stop).await else {
            return;
        };
        Consumer::new(queue)
            .concurrency(CONCURRENCY)
            .run(stop, move |message| handle(state.clone(), message))
            .await;
    });
}

async fn handle(state: State, message: Message) -> Result<(), InvoiceError> {
    let Event::OrderPlaced(order) = Event::parse(&message.body)?;
    telemetry::with_tenant(order.tenant_id.as_str(), invoice::render(&state, &order)).await
}
