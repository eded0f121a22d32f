//! Prices that change: Postgres notifies, the cache forgets, watchers are told.

use std::time::Duration;

use contracts::{
    ids::{Sku, TenantId},
    pricing::PriceChanged,
};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use service::Background;
use telemetry::{redis::Redis, sqlx::PgPool};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::cache;

/// Changes that a slow watcher may be behind before it is told to start over.
const BACKLOG: usize = 1024;

/// Where price changes are heard.
#[derive(Clone)]
pub(crate) struct Watch {
    changes: broadcast::Sender<PriceChanged>,
    draining: CancellationToken,
}

#[derive(Deserialize)]
struct Notification {
    tenant_id: TenantId,
    sku: Sku,
}

impl Watch {
    /// Starts listening to Postgres.
    pub(crate) fn start(db: &PgPool, redis: &Redis, background: &Background) -> Self {
        let (changes, _) = broadcast::channel(BACKLOG);
        let (db, redis, sender) = (db.clone(), redis.clone(), changes.clone());
        background.start(move |stop| telemetry::untraced(listen(db, redis, sender, stop)));
        Self {
            changes,
            draining: background.draining(),
        }
    }

    /// The changes of these tenants (of all, when there are none) from now on. The stream ends
    /// when the service stops, and with `DATA_LOSS` when the watcher was too slow to hear of
    /// every change.
    pub(crate) fn changes(
        &self,
        tenants: Vec<String>,
    ) -> impl Stream<Item = Result<PriceChanged, Status>> + Send + use<> {
        BroadcastStream::new(self.changes.subscribe())
            .map(|change| {
                change.map_err(|BroadcastStreamRecvError::Lagged(missed)| {
                    Status::data_loss(format!(
                        "{missed} changes were missed; drop what is cached and watch again"
                    ))
                })
            })
            .filter(move |change| {
                let wanted = match change {
                    Ok(change) => tenants.is_empty() || tenants.contains(&change.tenant_id),
                    Err(_) => true,
                };
                std::future::ready(wanted)
            })
            .take_until(self.draining.clone().cancelled_owned())
    }
}

async fn listen(
    db: PgPool,
    redis: Redis,
    changes: broadcast::Sender<PriceChanged>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let heard = tokio::select! {
            heard = hear(&db, &redis, &changes) => heard,
            () = stop.cancelled() => return,
        };
        if let Err(error) = heard {
            tracing::warn!(%error, "price changes are not heard; cached prices expire by themselves");
        }
        // Postgres is away: ask again, but not in a tight loop.
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn hear(
    db: &PgPool,
    redis: &Redis,
    changes: &broadcast::Sender<PriceChanged>,
) -> Result<(), sqlx::Error> {
    let mut listener = db.listener().await?;
    listener.listen("prices").await?;
    loop {
        let notification = listener.recv().await?;
        match serde_json::from_str::<Notification>(notification.payload()) {
            Ok(Notification { tenant_id, sku }) => {
                cache::drop_price(redis, &tenant_id, &sku).await;
                let change = PriceChanged {
                    tenant_id: tenant_id.into(),
                    sku: sku.into(),
                };
                // Nobody watching is no failure.
                let _ = changes.send(change);
            }
            Err(error) => tracing::warn!(%error, "a notification of a price change cannot be read"),
        }
    }
}
