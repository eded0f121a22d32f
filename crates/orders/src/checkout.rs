//! The story: hold the stock, charge the card, store the order and what to tell the others.

use contracts::{
    events::{Event, OrderPlaced},
    ids::{IdempotencyKey, OrderId},
    inventory::Reservation,
    orders::{CheckoutRequest, Order, OrderStatus},
};
use secrecy::ExposeSecret;
use telemetry::TraceCarrier;
use time::OffsetDateTime;

use crate::{
    State,
    error::CheckoutError,
    idempotency::Answer,
    payment::ChargeOutcome,
    store::{self, Message},
    tenant::Tenant,
};

/// How a checkout ends when nothing fails.
pub(crate) enum Outcome {
    Placed(Order),
    /// The issuer said no, with its code.
    Declined(String),
}

/// Checks out one cart: all of it, or nothing.
#[tracing::instrument(
    name = "handleCheckout",
    skip_all,
    fields(
        tenant.id = %tenant.id,
        enduser.pseudo.id = pseudonym(state, tenant, request),
        order.id = %order_id,
        order.item_count = request.lines.iter().map(|line| i64::from(line.quantity)).sum::<i64>(),
    )
)]
pub(crate) async fn checkout(
    state: &State,
    tenant: &Tenant,
    key: &IdempotencyKey,
    order_id: OrderId,
    request: &CheckoutRequest,
) -> Result<Outcome, CheckoutError> {
    let ended = hold_charge_store(state, tenant, key, order_id, request).await;
    if let Err(error) = &ended {
        telemetry::record_failure(error);
    }
    ended
}

async fn hold_charge_store(
    state: &State,
    tenant: &Tenant,
    key: &IdempotencyKey,
    order_id: OrderId,
    request: &CheckoutRequest,
) -> Result<Outcome, CheckoutError> {
    let reservation = state
        .inventory
        .reserve(&tenant.id, order_id, &request.lines)
        .await?;

    match state
        .payment
        .charge(tenant, order_id, reservation.total, &request.card_token)
        .await
    {
        Ok(ChargeOutcome::Captured) => {}
        Ok(ChargeOutcome::Declined(code)) => {
            release(state, tenant, order_id);
            return Ok(Outcome::Declined(code));
        }
        Err(error) => {
            release(state, tenant, order_id);
            return Err(error.into());
        }
    }

    let order = place(order_id, reservation);
    store_order(state, tenant, key, &order, request.user_id.as_deref())
        .await
        .map_err(CheckoutError::Store)?;
    Ok(Outcome::Placed(order))
}

fn place(order_id: OrderId, reservation: Reservation) -> Order {
    Order {
        order_id,
        status: OrderStatus::Paid,
        lines: reservation.lines,
        total: reservation.total,
        placed_at: OffsetDateTime::now_utc(),
        trace_id: telemetry::current_trace_id(),
    }
}

/// The order, its messages and its answer, in one transaction: the others hear of every order
/// and of no order that is not there.
async fn store_order(
    state: &State,
    tenant: &Tenant,
    key: &IdempotencyKey,
    order: &Order,
    user_id: Option<&str>,
) -> Result<(), sqlx::Error> {
    let event = Event::OrderPlaced(OrderPlaced {
        version: OrderPlaced::VERSION,
        tenant_id: tenant.id.clone(),
        order_id: order.order_id,
        lines: order.lines.clone(),
        total: order.total,
        placed_at: order.placed_at,
    });
    let messages = [
        &state.settings.inventory_queue,
        &state.settings.payment_queue,
    ]
    .map(|queue| Message {
        queue,
        body: event.to_body(),
    });

    let mut tx = state.db.begin().await?;
    store::insert_order(&mut tx, &tenant.id, order, user_id).await?;
    store::insert_messages(&mut tx, &tenant.id, &messages, &TraceCarrier::capture()).await?;
    store::keep_answer(&mut tx, &tenant.id, key, 201, &Answer::placed_body(order)).await?;
    tx.commit().await
}

/// Gives the stock back without making the caller wait. A release that cannot be delivered is
/// no loss: the reservation expires.
fn release(state: &State, tenant: &Tenant, order_id: OrderId) {
    let (inventory, tenant) = (state.inventory.clone(), tenant.id.clone());
    state.background.finish(async move {
        if let Err(error) = inventory.release(&tenant, order_id).await {
            tracing::warn!(
                error = %telemetry::chain(&error), %order_id,
                "the reservation could not be released and will expire"
            );
        }
    });
}

/// The name under which telemetry knows the buyer.
fn pseudonym(state: &State, tenant: &Tenant, request: &CheckoutRequest) -> Option<String> {
    let user = request.user_id.as_ref()?;
    let key = state.settings.pseudonym_key.expose_secret();
    Some(telemetry::pseudonym(
        key.as_bytes(),
        &format!("{}/{user}", tenant.id),
    ))
}
