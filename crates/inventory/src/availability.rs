//! The story of a question: how many of these items can be reserved now.

use contracts::{
    ids::{Sku, TenantId},
    inventory::Availability,
};

use crate::{State, cache, error::ReserveError, stock, store};

/// How many of each item are on hand and not held, in the order of the question.
#[tracing::instrument(name = "findAvailability", skip_all, fields(tenant.id = %tenant, order.item_count = skus.len() as i64))]
pub(crate) async fn find(
    state: &State,
    tenant: &TenantId,
    skus: &[Sku],
) -> Result<Vec<Availability>, ReserveError> {
    let found = look_up(state, tenant, skus).await;
    if let Err(error) = &found {
        telemetry::record_failure(error);
    }
    found
}

async fn look_up(
    state: &State,
    tenant: &TenantId,
    skus: &[Sku],
) -> Result<Vec<Availability>, ReserveError> {
    let mut stock = stock::find(state, tenant, skus).await?;
    let held = store::find_held(&state.db, tenant, skus).await?;
    let versions = held
        .iter()
        .map(|(sku, held)| (sku.clone(), held.version))
        .collect();
    let outdated = stock::outdated(&stock, &versions);
    if !outdated.is_empty() {
        let recounted = store::find_stock(&state.db, tenant, &outdated).await?;
        cache::keep(&state.redis, tenant, &recounted).await;
        stock.extend(recounted);
    }
    skus.iter()
        .map(|sku| match (stock.get(sku), held.get(sku)) {
            (Some(stock), Some(held)) => Ok(Availability {
                sku: sku.clone(),
                available: stock.on_hand - held.quantity,
            }),
            _ => Err(ReserveError::NotStocked(sku.clone())),
        })
        .collect()
}
