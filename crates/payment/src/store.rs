//! Postgres: payments and invoices, one of each for an order.

use contracts::{
    events::OrderPlaced,
    ids::{OrderId, TenantId},
    money::Money,
};
use telemetry::sqlx::PgPool;
use uuid::Uuid;

use crate::{
    charge::{ChargeOutcome, Purchase},
    error::{ChargeError, InvoiceError},
};

/// What became of an order's charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) payment_id: Uuid,
    pub(crate) amount: Money,
    pub(crate) outcome: ChargeOutcome,
}

/// The payment of an order, if it was tried before.
pub(crate) async fn find_payment(
    db: &PgPool,
    tenant: &TenantId,
    order_id: OrderId,
) -> Result<Option<Payment>, ChargeError> {
    let found = sqlx::query!(
        r#"
        SELECT payment_id, amount_minor, currency, processor_charge_id, decline_code
        FROM payments
        WHERE tenant_id = $1 AND order_id = $2
        "#,
        tenant.as_str(),
        order_id.as_uuid(),
    )
    .fetch_optional(db)
    .await
    .map_err(ChargeError::FindPayment)?;

    let unreadable = |cause: &str| ChargeError::FindPayment(sqlx::Error::Decode(cause.into()));
    found
        .map(|row| {
            let currency = row
                .currency
                .parse()
                .map_err(|_| unreadable("a payment in an unknown currency"))?;
            let outcome = match (row.processor_charge_id, row.decline_code) {
                (Some(processor_charge_id), None) => ChargeOutcome::Captured {
                    processor_charge_id,
                },
                (None, Some(decline_code)) => ChargeOutcome::Declined { decline_code },
                // The table's own check says so, too.
                _ => {
                    return Err(unreadable(
                        "a payment that is neither captured nor declined",
                    ));
                }
            };
            Ok(Payment {
                payment_id: row.payment_id,
                amount: Money::new(row.amount_minor, currency),
                outcome,
            })
        })
        .transpose()
}

/// Keeps the outcome of a charge; `None` when the order has a payment already.
pub(crate) async fn insert_payment(
    db: &PgPool,
    purchase: &Purchase,
    outcome: ChargeOutcome,
) -> Result<Option<Payment>, ChargeError> {
    let (state, processor_charge_id, decline_code) = match &outcome {
        ChargeOutcome::Captured {
            processor_charge_id,
        } => ("captured", Some(processor_charge_id), None),
        ChargeOutcome::Declined { decline_code } => ("declined", None, Some(decline_code)),
    };
    let payment_id = Uuid::now_v7();
    let inserted = sqlx::query!(
        r#"
        INSERT INTO payments (
            tenant_id, order_id, payment_id, state, amount_minor, currency, plan, region,
            processor_charge_id, decline_code
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (tenant_id, order_id) DO NOTHING
        "#,
        purchase.tenant.as_str(),
        purchase.order_id.as_uuid(),
        payment_id,
        state,
        purchase.amount.amount_minor,
        purchase.amount.currency.code(),
        purchase.plan,
        purchase.region,
        processor_charge_id,
        decline_code,
    )
    .execute(db)
    .await
    .map_err(ChargeError::StorePayment)?;
    Ok((inserted.rows_affected() == 1).then_some(Payment {
        payment_id,
        amount: purchase.amount,
        outcome,
    }))
}

/// Keeps the invoice of an order; says whether it is the first one.
pub(crate) async fn insert_invoice(
    db: &PgPool,
    invoice_id: Uuid,
    order: &OrderPlaced,
    html: &str,
) -> Result<bool, InvoiceError> {
    let inserted = sqlx::query!(
        r#"
        INSERT INTO invoices (tenant_id, order_id, invoice_id, total_minor, currency, html)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, order_id) DO NOTHING
        "#,
        order.tenant_id.as_str(),
        order.order_id.as_uuid(),
        invoice_id,
        order.total.amount_minor,
        order.total.currency.code(),
        html,
    )
    .execute(db)
    .await
    .map_err(InvoiceError::Store)?;
    Ok(inserted.rows_affected() == 1)
}
