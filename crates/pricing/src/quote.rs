//! The story: price list, rules, totals. Every line of the cart gets a price, or the cart gets
//! none.

use contracts::{
    ids::TenantId,
    inventory::Line,
    pricing::{Quote, QuotedLine},
};

use crate::{State, cache, error::QuoteError, rules, store};

/// Prices every line of the cart.
#[tracing::instrument(name = "quoteCart", skip_all, fields(tenant.id = %tenant, order.item_count = lines.len() as i64))]
pub(crate) async fn quote(
    state: &State,
    tenant: &TenantId,
    lines: &[Line],
) -> Result<Quote, QuoteError> {
    let quoted = price_cart(state, tenant, lines).await;
    if let Err(error) = &quoted {
        telemetry::record_failure(error);
    }
    quoted
}

async fn price_cart(state: &State, tenant: &TenantId, lines: &[Line]) -> Result<Quote, QuoteError> {
    let price_list = match cache::find(&state.redis, tenant, lines).await {
        Some(price_list) => price_list,
        None => {
            let price_list = store::find_price_list(&state.db, tenant, lines)
                .await?
                .ok_or(QuoteError::NoPriceList)?;
            cache::keep(&state.redis, tenant, &price_list).await;
            price_list
        }
    };
    let priced = lines
        .iter()
        .map(|line| {
            let unit_price = price_list
                .price(&line.sku)
                .ok_or_else(|| QuoteError::UnknownItem(line.sku.clone()))?;
            rules::price_line(line, unit_price, &price_list.rules).map_err(QuoteError::Amount)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let totals = rules::add_up(&priced, price_list.currency).map_err(QuoteError::Amount)?;
    Ok(Quote {
        currency: price_list.currency.code().to_owned(),
        lines: priced.into_iter().map(into_wire).collect(),
        subtotal_minor: totals.subtotal.amount_minor,
        discount_minor: totals.discount.amount_minor,
        total_minor: totals.total.amount_minor,
    })
}

fn into_wire(priced: rules::PricedLine) -> QuotedLine {
    QuotedLine {
        sku: priced.line.sku.into(),
        quantity: priced.line.quantity,
        unit_price_minor: priced.unit_price.amount_minor,
        discount_minor: priced.discount.amount_minor,
        total_minor: priced.total.amount_minor,
    }
}
