//! The outbox's way to SQS: woken at commit, with a poll as safety net. A message is sent at
//! least once; its row goes only after the queue took it.

use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;
use service::Background;
use telemetry::{sqlx::PgPool, sqs::Queue};
use tokio_util::sync::CancellationToken;

use crate::store::{self, OutboxRow};

/// How long a message can wait when its notification was lost.
const POLL: Duration = Duration::from_secs(2);

/// Messages sent side by side.
const BATCH: i64 = 32;

/// Starts the relay to these queues. Until they are found, messages wait in the outbox.
pub(crate) fn start(
    db: &PgPool,
    sqs: aws_sdk_sqs::Client,
    names: [String; 2],
    background: &Background,
) {
    let db = db.clone();
    background.start(move |stop| async move {
        let mut queues = HashMap::new();
        for name in names {
            let Some(queue) = service::find_queue(&sqs, &name, &stop).await else {
                return;
            };
            queues.insert(name, queue);
        }
        Relay { db, queues }.run(stop).await;
    });
}

struct Relay {
    db: PgPool,
    queues: HashMap<String, Queue>,
}

impl Relay {
    async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.listen(&stop).await {
                tracing::warn!(%error, "the outbox cannot be read; its messages wait");
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    /// Sends what is there, then waits for more. A batch in hand is finished before a stop.
    async fn listen(&self, stop: &CancellationToken) -> Result<(), sqlx::Error> {
        let mut listener = telemetry::untraced(self.db.listener()).await?;
        listener.listen("outbox").await?;
        loop {
            while self.send_batch().await? {
                if stop.is_cancelled() {
                    return Ok(());
                }
            }
            tokio::select! {
                heard = listener.recv() => drop(heard?),
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Sends one batch. Says whether there may be more to send now.
    async fn send_batch(&self) -> Result<bool, sqlx::Error> {
        // Looking into the outbox belongs to no checkout; sending a message does.
        let mut tx = telemetry::untraced(self.db.begin()).await?;
        let rows = telemetry::untraced(store::lock_messages(&mut tx, BATCH)).await?;
        let sent: Vec<i64> = join_all(rows.iter().map(|row| self.send(row)))
            .await
            .into_iter()
            .flatten()
            .collect();
        let all_sent = sent.len() == rows.len();
        if !sent.is_empty() {
            telemetry::untraced(store::delete_messages(&mut tx, &sent)).await?;
        }
        telemetry::untraced(tx.commit()).await?;
        Ok(all_sent && !rows.is_empty())
    }

    async fn send(&self, row: &OutboxRow) -> Option<i64> {
        let Some(queue) = self.queues.get(&row.queue) else {
            tracing::error!(
                queue = row.queue,
                "a message waits for a queue that this service does not know"
            );
            return None;
        };
        match queue.send(row.body.clone(), &row.context).await {
            Ok(_) => Some(row.outbox_id),
            Err(error) => {
                tracing::warn!(error = %telemetry::chain(&error), queue = row.queue, "a message could not be sent and waits");
                None
            }
        }
    }
}
