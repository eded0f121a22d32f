//! The queue that says which orders were placed. Delivery is at least once; the story is
//! idempotent. A message that cannot be read goes, by way of SQS, to the dead-letter queue.

use contracts::events::Event;
use service::Background;
use telemetry::sqs::{Consumer, Message};

use crate::{State, commit, error::CommitError};

/// Orders that are committed at the same time.
const CONCURRENCY: usize = 8;

/// Starts consuming.
pub(crate) fn start(
    state: &State,
    sqs: aws_sdk_sqs::Client,
    queue: String,
    background: &Background,
) {
    let state = state.clone();
    background.start(move |stop| async move {
        let Some(queue) = service::find_queue(&sqs, &queue, &stop).await else {
            return;
        };
        Consumer::new(queue)
            .concurrency(CONCURRENCY)
            .run(stop, move |message| handle(state.clone(), message))
            .await;
    });
}

async fn handle(state: State, message: Message) -> Result<(), CommitError> {
    let Event::OrderPlaced(order) = Event::parse(&message.body)?;
    telemetry::with_tenant(order.tenant_id.as_str(), commit::commit(&state, &order)).await
}
