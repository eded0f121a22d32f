//! The story: an order came to nothing, and its stock goes back.

use contracts::ids::{OrderId, TenantId};

use crate::{
    State,
    error::ReleaseError,
    store::{self, ReservationState},
};

/// Gives back what is held for an order. Nothing held, nothing to do: asked again, or for an
/// order that inventory never heard of, it is just as well.
#[tracing::instrument(name = "releaseStock", skip_all, fields(tenant.id = %tenant, order.id = %order_id))]
pub(crate) async fn release(
    state: &State,
    tenant: &TenantId,
    order_id: OrderId,
) -> Result<(), ReleaseError> {
    let released = give_back(state, tenant, order_id).await;
    if let Err(error) = &released {
        telemetry::record_failure(error);
    }
    released
}

async fn give_back(
    state: &State,
    tenant: &TenantId,
    order_id: OrderId,
) -> Result<(), ReleaseError> {
    let mut tx = state.db.begin().await?;
    match store::lock_reservation(&mut tx, tenant, order_id).await? {
        Some(ReservationState::Held) => {
            store::release_reservation(&mut tx, tenant, order_id).await?;
            tx.commit().await?;
            Ok(())
        }
        Some(ReservationState::Committed) => Err(ReleaseError::Committed(order_id)),
        Some(ReservationState::Released | ReservationState::Expired) | None => Ok(()),
    }
}
