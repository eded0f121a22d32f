//! Reservations: stock held for orders that are not placed yet.

use std::{collections::HashMap, time::Duration};

use contracts::{
    ids::{OrderId, Sku, TenantId},
    inventory::{Line, Reservation},
    money::Money,
    orders::OrderLine,
};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, types::Json};
use telemetry::sqlx::Transaction;
use time::OffsetDateTime;

use super::read_sku;
use crate::stock::Stock;

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReservationState {
    Held,
    Committed,
    Released,
    Expired,
}

impl ReservationState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Committed => "committed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    pub(super) fn read(text: &str) -> Result<Self, sqlx::Error> {
        [Self::Held, Self::Committed, Self::Released, Self::Expired]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| {
                sqlx::Error::Decode(format!("`{text}` is no state of a reservation").into())
            })
    }
}

/// What the order was told, to tell it again when it asks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) lines: Vec<OrderLine>,
    pub(crate) total: Money,
}

impl Answer {
    pub(crate) fn into_reservation(
        self,
        order_id: OrderId,
        expires_at: OffsetDateTime,
    ) -> Reservation {
        Reservation {
            order_id,
            lines: self.lines,
            total: self.total,
            expires_at,
        }
    }
}

/// What is to be held.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) order_id: OrderId,
    pub(crate) lines: &'a [Line],
    /// What is on hand of each item of the lines.
    pub(crate) stock: &'a HashMap<Sku, Stock>,
    pub(crate) answer: &'a Answer,
    pub(crate) time_to_live: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How many of each item no other order holds.
    pub(crate) available: HashMap<Sku, i64>,
    /// `None`: nothing was written, because an item is short or the order has a reservation.
    pub(crate) expires_at: Option<OffsetDateTime>,
}

/// Holds all lines or none, in one round trip. A reservation of the same order that ended, or
/// is overdue, is taken up again.
///
/// The items must be locked by an earlier statement of the transaction: what others hold is
/// read by this one, whose snapshot is younger than the lock.
pub(crate) async fn insert_reservation(
    tx: &mut Transaction,
    hold: &Hold<'_>,
) -> Result<Outcome, sqlx::Error> {
    let skus: Vec<String> = hold.lines.iter().map(|line| line.sku.to_string()).collect();
    let quantities: Vec<i64> = hold
        .lines
        .iter()
        .map(|line| i64::from(line.quantity))
        .collect();
    let on_hand: Vec<i64> = hold
        .lines
        .iter()
        .map(|line| hold.stock.get(&line.sku).map_or(0, |stock| stock.on_hand))
        .collect();
    let rows = sqlx::query!(
        r#"
        WITH wanted AS (
            SELECT * FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS line (sku, quantity, on_hand)
        ), stock AS (
            SELECT
                wanted.sku,
                wanted.quantity,
                wanted.on_hand - (
                    SELECT coalesce(sum(reservation_lines.quantity), 0)::bigint
                    FROM reservation_lines
                    WHERE reservation_lines.tenant_id = $1
                        AND reservation_lines.sku = wanted.sku
                        AND reservation_lines.held
                        AND reservation_lines.order_id <> $2
                ) AS available
            FROM wanted
        ), reserved AS (
            INSERT INTO reservations AS reservation (tenant_id, order_id, state, answer, expires_at)
            SELECT $1, $2, 'held', $6, clock_timestamp() + make_interval(secs => $7)
            WHERE NOT EXISTS (SELECT FROM stock WHERE available < quantity)
            ON CONFLICT (tenant_id, order_id) DO UPDATE
            SET state = 'held', answer = excluded.answer, expires_at = excluded.expires_at
            WHERE reservation.state IN ('released', 'expired')
                OR (reservation.state = 'held' AND reservation.expires_at <= now())
            RETURNING reservation.expires_at
        ), held AS (
            INSERT INTO reservation_lines (tenant_id, order_id, sku, quantity)
            SELECT $1, $2, stock.sku, stock.quantity FROM stock, reserved
            ON CONFLICT (tenant_id, order_id, sku) DO UPDATE
            SET quantity = excluded.quantity, held = true
        )
        SELECT
            stock.sku AS "sku!",
            stock.available AS "available!",
            (SELECT expires_at FROM reserved) AS expires_at
        FROM stock
        "#,
        hold.tenant.as_str(),
        hold.order_id.as_uuid(),
        &skus,
        &quantities,
        &on_hand,
        Json(hold.answer) as _,
        hold.time_to_live.as_secs_f64(),
    )
    .fetch_all(tx)
    .await?;

    let expires_at = rows.first().and_then(|row| row.expires_at);
    let available = rows
        .into_iter()
        .map(|row| Ok((read_sku(row.sku)?, row.available)))
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(Outcome {
        available,
        expires_at,
    })
}

/// The reservation of an order, if it is held or was committed.
pub(crate) async fn find_reservation(
    tx: &mut Transaction,
    tenant: &TenantId,
    order_id: OrderId,
) -> Result<Option<Reservation>, sqlx::Error> {
    let found = sqlx::query!(
        r#"
        SELECT answer AS "answer: Json<Answer>", expires_at FROM reservations
        WHERE tenant_id = $1 AND order_id = $2 AND state IN ('held', 'committed')
        "#,
        tenant.as_str(),
        order_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(found.map(|row| row.answer.0.into_reservation(order_id, row.expires_at)))
}

/// Locks the reservation of an order until the transaction ends, and says how far it has come.
pub(crate) async fn lock_reservation(
    tx: &mut Transaction,
    tenant: &TenantId,
    order_id: OrderId,
) -> Result<Option<ReservationState>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT state FROM reservations WHERE tenant_id = $1 AND order_id = $2 FOR UPDATE",
        tenant.as_str(),
        order_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .as_deref()
    .map(ReservationState::read)
    .transpose()
}

/// Gives back the lines of a reservation that is locked and held.
pub(crate) async fn release_reservation(
    tx: &mut Transaction,
    tenant: &TenantId,
    order_id: OrderId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        WITH freed AS (
            UPDATE reservation_lines SET held = false
            WHERE tenant_id = $1 AND order_id = $2 AND held
        )
        UPDATE reservations SET state = 'released' WHERE tenant_id = $1 AND order_id = $2
        "#,
        tenant.as_str(),
        order_id.as_uuid(),
    )
    .execute(tx)
    .await
    .map(drop)
}

/// Expires reservations that are overdue, `limit` at most, and says how many. What another
/// transaction holds is left to it.
pub(crate) async fn expire_reservations(
    db: impl PgExecutor<'_>,
    limit: i64,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        WITH overdue AS (
            SELECT tenant_id, order_id FROM reservations
            WHERE state = 'held' AND expires_at <= now()
            ORDER BY expires_at
            LIMIT $1
            FOR UPDATE SKIP LOCKED
        ), expired AS (
            UPDATE reservations SET state = 'expired'
            FROM overdue
            WHERE reservations.tenant_id = overdue.tenant_id AND reservations.order_id = overdue.order_id
            RETURNING reservations.tenant_id, reservations.order_id
        ), freed AS (
            UPDATE reservation_lines SET held = false
            FROM expired
            WHERE reservation_lines.tenant_id = expired.tenant_id
                AND reservation_lines.order_id = expired.order_id
                AND reservation_lines.held
        )
        SELECT count(*) AS "count!" FROM expired
        "#,
        limit,
    )
    .fetch_one(db)
    .await
}
