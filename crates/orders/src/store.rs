//! Postgres: tenants, claims of idempotency keys, orders and the outbox.

use contracts::{
    ids::{IdempotencyKey, OrderId, TenantId},
    money::Money,
    orders::{Order, OrderLine, OrderStatus},
};
use serde_json::Value;
use sqlx::{PgExecutor, types::Json};
use telemetry::{TraceCarrier, sqlx::PgPool};
use time::OffsetDateTime;

use crate::tenant::Tenant;

/// A claim that is older belongs to a process that is gone: the longest checkout is shorter.
const LEASE_SECONDS: f64 = 60.0;

/// The tenant with this API key.
pub(crate) async fn find_tenant(
    db: &PgPool,
    api_key_hash: &str,
) -> Result<Option<Tenant>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT tenant_id, plan, region FROM tenants WHERE api_key_hash = $1",
        api_key_hash
    )
    .fetch_optional(db)
    .await?;
    found
        .map(|row| {
            Ok(Tenant {
                id: row
                    .tenant_id
                    .try_into()
                    .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
                plan: row.plan,
                region: row.region,
            })
        })
        .transpose()
}

/// What an idempotency key stands for.
pub(crate) enum Claim {
    /// This request does the checkout, as this order.
    Ours(OrderId),
    /// It was done: the answer.
    Answered { status: u16, body: Value },
    /// Another request with the key is at it.
    InProgress,
    /// The key stands for another request.
    OtherRequest,
}

/// Claims the key, unless it is claimed or answered. A claim that was given back, or whose
/// lease ended, is taken over with the order it had.
pub(crate) async fn claim_checkout(
    db: &PgPool,
    tenant: &TenantId,
    key: &IdempotencyKey,
    request_hash: &str,
    order_id: OrderId,
) -> Result<Claim, sqlx::Error> {
    let claimed = sqlx::query_scalar!(
        "
        INSERT INTO checkouts (tenant_id, idempotency_key, request_hash, order_id)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, idempotency_key) DO UPDATE
        SET claimed_at = now()
        WHERE checkouts.request_hash = excluded.request_hash
          AND checkouts.answer_status IS NULL
          AND checkouts.claimed_at < now() - make_interval(secs => $5)
        RETURNING order_id
        ",
        tenant.as_str(),
        key.as_str(),
        request_hash,
        order_id.as_uuid(),
        LEASE_SECONDS,
    )
    .fetch_optional(db)
    .await?;
    if let Some(order_id) = claimed {
        return Ok(Claim::Ours(order_id.into()));
    }

    let row = sqlx::query!(
        "
        SELECT request_hash, answer_status, answer_body
        FROM checkouts
        WHERE tenant_id = $1 AND idempotency_key = $2
        ",
        tenant.as_str(),
        key.as_str(),
    )
    .fetch_one(db)
    .await?;
    Ok(match (row.answer_status, row.answer_body) {
        _ if row.request_hash != request_hash => Claim::OtherRequest,
        (Some(status), Some(body)) => Claim::Answered {
            status: u16::try_from(status).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            body,
        },
        _ => Claim::InProgress,
    })
}

/// Lets the next request with the key take up the checkout at once.
pub(crate) async fn give_back_claim(
    db: &PgPool,
    tenant: &TenantId,
    key: &IdempotencyKey,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "
        UPDATE checkouts SET claimed_at = '-infinity'
        WHERE tenant_id = $1 AND idempotency_key = $2 AND answer_status IS NULL
        ",
        tenant.as_str(),
        key.as_str(),
    )
    .execute(db)
    .await
    .map(drop)
}

/// Keeps the answer that the key stands for from now on.
pub(crate) async fn keep_answer<'e>(
    db: impl PgExecutor<'e>,
    tenant: &TenantId,
    key: &IdempotencyKey,
    status: u16,
    body: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "
        UPDATE checkouts SET answer_status = $3, answer_body = $4
        WHERE tenant_id = $1 AND idempotency_key = $2
        ",
        tenant.as_str(),
        key.as_str(),
        // HTTP status codes are three digits.
        i16::try_from(status).unwrap_or(i16::MAX),
        body,
    )
    .execute(db)
    .await
    .map(drop)
}

/// Stores an order. An order that is taken up again after a crash is stored once.
pub(crate) async fn insert_order<'e>(
    db: impl PgExecutor<'e>,
    tenant: &TenantId,
    order: &Order,
    user_id: Option<&str>,
) -> Result<(), sqlx::Error> {
    let OrderStatus::Paid = order.status;
    sqlx::query!(
        "
        INSERT INTO orders
            (tenant_id, order_id, status, lines, total_minor, currency, user_id, trace_id, created_at)
        VALUES ($1, $2, 'paid', $3, $4, $5, $6, $7, $8)
        ",
        tenant.as_str(),
        order.order_id.as_uuid(),
        Json(&order.lines) as _,
        order.total.amount_minor,
        order.total.currency.code(),
        user_id,
        order.trace_id.as_deref(),
        order.placed_at,
    )
    .execute(db)
    .await
    .map(drop)
}

/// An order of this tenant.
pub(crate) async fn find_order(
    db: &PgPool,
    tenant: &TenantId,
    order_id: OrderId,
) -> Result<Option<Order>, sqlx::Error> {
    let found = sqlx::query!(
        r#"
        SELECT lines AS "lines: Json<Vec<OrderLine>>", total_minor, currency, trace_id, created_at
        FROM orders
        WHERE tenant_id = $1 AND order_id = $2
        "#,
        tenant.as_str(),
        order_id.as_uuid(),
    )
    .fetch_optional(db)
    .await?;
    found
        .map(|row| {
            let currency = row
                .currency
                .parse()
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let placed_at: OffsetDateTime = row.created_at;
            Ok(Order {
                order_id,
                status: OrderStatus::Paid,
                lines: row.lines.0,
                total: Money::new(row.total_minor, currency),
                placed_at,
                trace_id: row.trace_id,
            })
        })
        .transpose()
}

/// A message for a queue.
pub(crate) struct Message<'a> {
    pub(crate) queue: &'a str,
    pub(crate) body: String,
}

/// Puts messages into the outbox, with the trace context that is in force now.
pub(crate) async fn insert_messages<'e>(
    db: impl PgExecutor<'e>,
    tenant: &TenantId,
    messages: &[Message<'_>],
    context: &TraceCarrier,
) -> Result<(), sqlx::Error> {
    let queues: Vec<String> = messages
        .iter()
        .map(|message| message.queue.to_owned())
        .collect();
    let bodies: Vec<String> = messages
        .iter()
        .map(|message| message.body.clone())
        .collect();
    sqlx::query!(
        "
        INSERT INTO outbox (tenant_id, queue, body, traceparent, tracestate, baggage)
        SELECT $1, message.queue, message.body, $4, $5, $6
        FROM unnest($2::text[], $3::text[]) AS message (queue, body)
        ",
        tenant.as_str(),
        &queues,
        &bodies,
        context.traceparent.as_deref(),
        context.tracestate.as_deref(),
        context.baggage.as_deref(),
    )
    .execute(db)
    .await
    .map(drop)
}

/// A row of the outbox.
pub(crate) struct OutboxRow {
    pub(crate) outbox_id: i64,
    pub(crate) queue: String,
    pub(crate) body: String,
    pub(crate) context: TraceCarrier,
}

/// The oldest messages, locked for this relay; another relay takes the next ones.
pub(crate) async fn lock_messages<'e>(
    db: impl PgExecutor<'e>,
    limit: i64,
) -> Result<Vec<OutboxRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "
        SELECT outbox_id, queue, body, traceparent, tracestate, baggage
        FROM outbox
        ORDER BY outbox_id
        LIMIT $1
        FOR UPDATE SKIP LOCKED
        ",
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| OutboxRow {
            outbox_id: row.outbox_id,
            queue: row.queue,
            body: row.body,
            context: TraceCarrier {
                traceparent: row.traceparent,
                tracestate: row.tracestate,
                baggage: row.baggage,
            },
        })
        .collect())
}

/// Removes messages that were sent.
pub(crate) async fn delete_messages<'e>(
    db: impl PgExecutor<'e>,
    sent: &[i64],
) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM outbox WHERE outbox_id = ANY ($1)", sent)
        .execute(db)
        .await
        .map(drop)
}
