//! The story: an order was placed, and what was held for it leaves the stock for good.

use contracts::{events::OrderPlaced, ids::Sku};

use crate::{
    State, cache,
    error::CommitError,
    store::{self, ReservationState},
};

/// Writes the stock movements of an order, once however often it is told.
#[tracing::instrument(name = "commitStock", skip_all, fields(
    tenant.id = %order.tenant_id,
    order.id = %order.order_id,
    order.item_count = order.lines.len() as i64,
))]
pub(crate) async fn commit(state: &State, order: &OrderPlaced) -> Result<(), CommitError> {
    let committed = move_stock(state, order).await;
    if let Err(error) = &committed {
        telemetry::record_failure(error);
    }
    committed
}

async fn move_stock(state: &State, order: &OrderPlaced) -> Result<(), CommitError> {
    let skus: Vec<Sku> = order.lines.iter().map(|line| line.sku.clone()).collect();

    let mut tx = state.db.begin().await?;
    store::lock_items(&mut tx, &order.tenant_id, &skus).await?;
    let before = store::insert_movements(&mut tx, order).await?;
    tx.commit().await?;

    // Paid is paid: the goods leave also if the hold on them ended before the message came.
    match before {
        Some(ReservationState::Held | ReservationState::Committed) => {}
        Some(ReservationState::Released | ReservationState::Expired) | None => {
            tracing::warn!(
                order.id = %order.order_id,
                state = before.map_or("unknown", ReservationState::as_str),
                "an order was placed whose stock was not held any more; the item may be oversold"
            );
        }
    }
    cache::drop_items(&state.redis, &order.tenant_id, &skus).await;
    Ok(())
}
