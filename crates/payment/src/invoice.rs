//! The story: an order was placed, and its invoice is rendered and kept, once.

mod page;

use contracts::{events::OrderPlaced, money::Money};
use uuid::Uuid;

use self::page::{Line, Page};
use crate::{State, error::InvoiceError, store};

/// Renders the invoice of an order and keeps it, unless there is one.
#[tracing::instrument(name = "invoice.render", skip_all, fields(
    tenant.id = %order.tenant_id,
    order.id = %order.order_id,
    order.item_count = order.lines.len() as i64,
))]
pub(crate) async fn render(state: &State, order: &OrderPlaced) -> Result<(), InvoiceError> {
    let invoice_id = Uuid::now_v7();
    let html = write_page(invoice_id, order);
    match store::insert_invoice(&state.db, invoice_id, order, &html).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            telemetry::event("invoice already there", []);
            Ok(())
        }
        Err(error) => {
            telemetry::record_failure(&error);
            Err(error)
        }
    }
}

fn write_page(invoice_id: Uuid, order: &OrderPlaced) -> String {
    let money = |minor| Money::new(minor, order.total.currency).to_string();
    Page {
        invoice_id: invoice_id.to_string(),
        seller: order.tenant_id.to_string(),
        order_id: order.order_id.to_string(),
        date: order.placed_at.date().to_string(),
        lines: order
            .lines
            .iter()
            .map(|line| Line {
                item: line.sku.to_string(),
                quantity: line.quantity,
                unit_price: money(line.unit_price_minor),
                total: money(line.total_minor),
            })
            .collect(),
        total: order.total.to_string(),
    }
    .render()
}
