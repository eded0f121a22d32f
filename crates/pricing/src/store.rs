//! Postgres: price lists, prices and price rules of a tenant.

use std::collections::HashMap;

use contracts::{
    ids::{Sku, TenantId},
    inventory::Line,
    money::{Currency, Money},
};
use telemetry::sqlx::PgPool;

use crate::{error::QuoteError, rules::PriceRule};

/// What is needed of a tenant's price list to price one cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PriceList {
    pub(crate) currency: Currency,
    pub(crate) unit_prices_minor: HashMap<Sku, i64>,
    pub(crate) rules: Vec<PriceRule>,
}

impl PriceList {
    pub(crate) fn price(&self, sku: &Sku) -> Option<Money> {
        let minor = self.unit_prices_minor.get(sku)?;
        Some(Money::new(*minor, self.currency))
    }
}

/// The tenant's currency, rules, and prices of the cart's items, in one round trip.
pub(crate) async fn find_price_list(
    db: &PgPool,
    tenant: &TenantId,
    lines: &[Line],
) -> Result<Option<PriceList>, QuoteError> {
    let skus: Vec<String> = lines.iter().map(|line| line.sku.to_string()).collect();
    let found = sqlx::query!(
        r#"
        SELECT
            price_lists.currency,
            (
                SELECT coalesce(jsonb_object_agg(prices.sku, prices.unit_price_minor), '{}')
                FROM prices
                WHERE prices.tenant_id = price_lists.tenant_id AND prices.sku = ANY ($2)
            ) AS "prices!: sqlx::types::Json<HashMap<Sku, i64>>",
            (
                SELECT coalesce(
                    jsonb_agg(
                        jsonb_build_object(
                            'priority', priority, 'sku', sku,
                            'min_quantity', min_quantity, 'basis_points', basis_points
                        )
                        ORDER BY priority, rule_id
                    ),
                    '[]'
                )
                FROM price_rules
                WHERE price_rules.tenant_id = price_lists.tenant_id
            ) AS "rules!: sqlx::types::Json<Vec<PriceRule>>"
        FROM price_lists
        WHERE price_lists.tenant_id = $1
        "#,
        tenant.as_str(),
        &skus,
    )
    .fetch_optional(db)
    .await
    .map_err(QuoteError::Store)?;

    found
        .map(|row| {
            Ok(PriceList {
                currency: row.currency.parse().map_err(QuoteError::PriceList)?,
                unit_prices_minor: row.prices.0,
                rules: row.rules.0,
            })
        })
        .transpose()
}
