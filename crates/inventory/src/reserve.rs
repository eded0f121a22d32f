//! The story: what is on hand, what it costs, and then, under the lock of the items, all of the
//! cart is held or none of it.

use std::collections::HashMap;

use contracts::{
    ids::{Sku, TenantId},
    inventory::{Reservation, ReserveRequest},
};

use crate::{
    State, cache,
    error::ReserveError,
    pricing,
    stock::{self, Stock},
    store::{self, Answer},
};

/// Holds the stock of a cart for an order. Asked again for the same order, it answers the same.
#[tracing::instrument(name = "checkInventory", skip_all, fields(
    tenant.id = %tenant,
    order.id = %request.order_id,
    order.item_count = request.lines.len() as i64,
    inventory.items_available,
))]
pub(crate) async fn reserve(
    state: &State,
    tenant: &TenantId,
    request: &ReserveRequest,
) -> Result<Reservation, ReserveError> {
    let reserved = hold_cart(state, tenant, request).await;
    if let Err(error) = &reserved {
        telemetry::record_failure(error);
    }
    reserved
}

async fn hold_cart(
    state: &State,
    tenant: &TenantId,
    request: &ReserveRequest,
) -> Result<Reservation, ReserveError> {
    let skus: Vec<Sku> = request.lines.iter().map(|line| line.sku.clone()).collect();
    let mut stock = stock::find(state, tenant, &skus).await?;
    // Before the lock: nobody waits for a quote while holding an item.
    let quote = pricing::quote_cart(&state.pricing, tenant, &request.lines).await?;
    let answer = Answer {
        lines: quote.lines,
        total: quote.total,
    };

    let mut tx = state.db.begin().await?;
    let versions = store::lock_items(&mut tx, tenant, &skus).await?;
    if let Some(gone) = skus.iter().find(|sku| !versions.contains_key(*sku)) {
        return Err(ReserveError::NotStocked(gone.clone()));
    }
    let recounted = recount(&mut tx, tenant, &stock, &versions).await?;
    stock.extend(recounted.iter().map(|(sku, stock)| (sku.clone(), *stock)));

    let hold = store::Hold {
        tenant,
        order_id: request.order_id,
        lines: &request.lines,
        stock: &stock,
        answer: &answer,
        time_to_live: state.reservation_ttl,
    };
    let held = store::insert_reservation(&mut tx, &hold).await?;
    let items_available = held.available.values().copied().min().unwrap_or(0);
    tracing::Span::current().record("inventory.items_available", items_available);

    let reservation = match held.expires_at {
        Some(expires_at) => {
            tx.commit().await?;
            answer.into_reservation(request.order_id, expires_at)
        }
        // Nothing was written: the order has a reservation already, or an item is short.
        None => {
            let earlier = store::find_reservation(&mut tx, tenant, request.order_id).await?;
            tx.rollback().await?;
            match earlier {
                Some(earlier) => earlier,
                None => {
                    return Err(stock::shortage(&request.lines, &held.available)
                        .unwrap_or(ReserveError::Store(sqlx::Error::RowNotFound)));
                }
            }
        }
    };
    cache::keep(&state.redis, tenant, &recounted).await;
    Ok(reservation)
}

/// Adds up the ledger again for the items that moved since they were looked up.
async fn recount(
    tx: &mut telemetry::sqlx::Transaction,
    tenant: &TenantId,
    found: &HashMap<Sku, Stock>,
    versions: &HashMap<Sku, i64>,
) -> Result<HashMap<Sku, Stock>, ReserveError> {
    let outdated = stock::outdated(found, versions);
    if outdated.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(store::find_stock(tx, tenant, &outdated).await?)
}
