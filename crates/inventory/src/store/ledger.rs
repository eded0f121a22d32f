//! The ledger: the last count of each item and the movements since.

use std::collections::HashMap;

use contracts::{
    events::OrderPlaced,
    ids::{Sku, TenantId},
};
use sqlx::PgExecutor;
use telemetry::sqlx::Transaction;

use super::{read_sku, reservations::ReservationState, texts};
use crate::stock::Stock;

/// How many of an item are held, and the version of the item at that moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) quantity: i64,
    pub(crate) version: i64,
}

/// Adds up the ledger of these items: the count, and every movement since, in one round trip.
///
/// The movements of all items are walked once, from the oldest count on. The upper bound
/// holds always. It is there for the planner, which knows nothing of the lower one: a range
/// it takes to be narrow, and so it walks an index on time if there is one. Without one, it
/// walks all the movements that the tenant ever made.
pub(crate) async fn find_stock(
    db: impl PgExecutor<'_>,
    tenant: &TenantId,
    skus: &[Sku],
) -> Result<HashMap<Sku, Stock>, sqlx::Error> {
    sqlx::query!(
        r#"
        SELECT
            inventory.sku,
            inventory.version,
            (inventory.counted_quantity + coalesce(sum(stock_movements.quantity), 0))::bigint AS "on_hand!"
        FROM inventory
        LEFT JOIN stock_movements
            ON stock_movements.tenant_id = inventory.tenant_id
            AND stock_movements.sku = inventory.sku
            AND stock_movements.created_at >= inventory.counted_at
            AND stock_movements.created_at BETWEEN (
                SELECT min(counted_at) FROM inventory WHERE tenant_id = $1 AND sku = ANY ($2)
            ) AND 'infinity'
        WHERE inventory.tenant_id = $1 AND inventory.sku = ANY ($2)
        GROUP BY inventory.tenant_id, inventory.sku
        "#,
        tenant.as_str(),
        &texts(skus),
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| Ok((read_sku(row.sku)?, Stock { on_hand: row.on_hand, version: row.version })))
    .collect()
}

/// Locks these items until the transaction ends, in the order that everybody locks them in, and
/// says their versions.
pub(crate) async fn lock_items(
    tx: &mut Transaction,
    tenant: &TenantId,
    skus: &[Sku],
) -> Result<HashMap<Sku, i64>, sqlx::Error> {
    sqlx::query!(
        r#"
        SELECT sku, version FROM inventory
        WHERE tenant_id = $1 AND sku = ANY ($2)
        ORDER BY sku
        FOR UPDATE
        "#,
        tenant.as_str(),
        &texts(skus),
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(|row| Ok((read_sku(row.sku)?, row.version)))
    .collect()
}

/// How many of each item are held now.
pub(crate) async fn find_held(
    db: impl PgExecutor<'_>,
    tenant: &TenantId,
    skus: &[Sku],
) -> Result<HashMap<Sku, Held>, sqlx::Error> {
    sqlx::query!(
        r#"
        SELECT
            inventory.sku,
            inventory.version,
            (
                SELECT coalesce(sum(reservation_lines.quantity), 0)::bigint
                FROM reservation_lines
                WHERE reservation_lines.tenant_id = inventory.tenant_id
                    AND reservation_lines.sku = inventory.sku
                    AND reservation_lines.held
            ) AS "held!"
        FROM inventory
        WHERE inventory.tenant_id = $1 AND inventory.sku = ANY ($2)
        "#,
        tenant.as_str(),
        &texts(skus),
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        Ok((
            read_sku(row.sku)?,
            Held {
                quantity: row.held,
                version: row.version,
            },
        ))
    })
    .collect()
}

/// Moves what an order bought out of stock and ends its reservation. Says what the reservation
/// was before. What was moved already is not moved again.
///
/// The items must be locked: the time of a movement is taken under the lock, so that a recount,
/// which takes its time there too, is always on one side of it.
pub(crate) async fn insert_movements(
    tx: &mut Transaction,
    order: &OrderPlaced,
) -> Result<Option<ReservationState>, sqlx::Error> {
    let skus: Vec<String> = order
        .lines
        .iter()
        .map(|line| line.sku.to_string())
        .collect();
    let quantities: Vec<i64> = order
        .lines
        .iter()
        .map(|line| i64::from(line.quantity))
        .collect();
    let before = sqlx::query_scalar!(
        r#"
        WITH moved AS (
            INSERT INTO stock_movements (tenant_id, sku, quantity, reason, order_id, created_at)
            SELECT $1, line.sku, -line.quantity, 'sale', $2, clock_timestamp()
            FROM unnest($3::text[], $4::bigint[]) AS line (sku, quantity)
            ON CONFLICT (tenant_id, order_id, sku) WHERE order_id IS NOT NULL DO NOTHING
            RETURNING sku
        ), changed AS (
            UPDATE inventory SET version = version + 1
            FROM moved
            WHERE inventory.tenant_id = $1 AND inventory.sku = moved.sku
        ), committed AS (
            UPDATE reservations SET state = 'committed'
            WHERE tenant_id = $1 AND order_id = $2 AND state <> 'committed'
        ), freed AS (
            UPDATE reservation_lines SET held = false
            WHERE tenant_id = $1 AND order_id = $2 AND held
        )
        SELECT (SELECT state FROM reservations WHERE tenant_id = $1 AND order_id = $2)
        "#,
        order.tenant_id.as_str(),
        order.order_id.as_uuid(),
        &skus,
        &quantities,
    )
    .fetch_one(tx)
    .await?;
    before.as_deref().map(ReservationState::read).transpose()
}
