//! Prices that change: an item that is sold on new terms is looked up afresh by the next cart.
//! Changes that were not heard of are made good by the cache's time to live.

use std::time::Duration;

use contracts::{
    ids::{Sku, TenantId},
    pricing::PriceChanged,
};
use service::Background;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{State, cache, pricing};

/// Pause before watching again after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Starts watching.
pub(crate) fn start(state: &State, background: &Background) {
    let state = state.clone();
    // Ends when draining begins: pricing, told to stop as well, waits for its watchers.
    let draining = background.draining();
    background.start(move |_| telemetry::untraced(watch_until(draining, state)));
}

async fn watch_until(stop: CancellationToken, state: State) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut heard = 0_u64;
        let ended = tokio::select! {
            ended = follow(&state, &mut heard) => ended,
            () = stop.cancelled() => return,
        };
        if let Err(status) = ended {
            tracing::warn!(code = ?status.code(), reason = status.message(), "price changes are not heard; watching again soon");
        }
        if heard > 0 {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Follows the changes until pricing ends the stream.
async fn follow(state: &State, heard: &mut u64) -> Result<(), Status> {
    let mut changes = pricing::watch_prices(&state.pricing).await?;
    while let Some(change) = changes.message().await? {
        *heard += 1;
        match read(change) {
            Some((tenant, sku)) => cache::drop_items(&state.redis, &tenant, &[sku]).await,
            None => tracing::warn!("a change of price names no item"),
        }
    }
    Ok(())
}

fn read(change: PriceChanged) -> Option<(TenantId, Sku)> {
    Some((
        change.tenant_id.try_into().ok()?,
        change.sku.try_into().ok()?,
    ))
}
