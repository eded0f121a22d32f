//! The sweeper: stock that was held too long goes back. Several inventories may sweep at the
//! same time; each reservation is taken by one of them.

use std::time::Duration;

use service::Background;
use telemetry::sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::store;

/// Reservations that one statement expires at most.
const BATCH: i64 = 100;

/// Starts sweeping.
pub(crate) fn start(db: &PgPool, interval: Duration, background: &Background) {
    let db = db.clone();
    // Not traced: a look every few seconds that mostly finds nothing.
    background.start(move |stop| telemetry::untraced(sweep_until(stop, db, interval)));
}

async fn sweep_until(stop: CancellationToken, db: PgPool, interval: Duration) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => sweep(&db, &stop).await,
            () = stop.cancelled() => return,
        }
    }
}

/// Expires all that is stale now, batch by batch.
async fn sweep(db: &PgPool, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match store::expire_reservations(db, BATCH).await {
            Ok(0) => return,
            Ok(expired) => {
                tracing::info!(expired, "stock of stale reservations was given back");
                if expired < BATCH {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "stale reservations could not be expired; trying again later");
                return;
            }
        }
    }
}
