//! Tenants, items, prices and stock for a new database: small tenants, and large ones whose
//! long ledger makes the inventory query slow for a real reason.

use anyhow::Context;
use sha2::{Digest, Sha256};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::database::{self, Database};

/// Items of each tenant: `item_1` to `item_100`.
pub const ITEMS: i64 = 100;
const SMALL_MOVEMENTS: i64 = 300;
/// More than 50,000, so that reading them all shows; fewer, and it may hide in the noise.
const LARGE_MOVEMENTS: i64 = 150_000;

/// Somebody who sells through the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenant {
    pub id: &'static str,
    pub name: &'static str,
    pub plan: &'static str,
    pub region: &'static str,
    pub currency: &'static str,
    /// Whether it has the long ledger.
    pub large: bool,
}

/// All tenants, the small ones first.
pub const TENANTS: [Tenant; 5] = [
    Tenant {
        id: "acme",
        name: "Acme Corporation",
        plan: "starter",
        region: "eu-west-1",
        currency: "USD",
        large: false,
    },
    Tenant {
        id: "globex",
        name: "Globex Corporation",
        plan: "starter",
        region: "us-east-1",
        currency: "USD",
        large: false,
    },
    Tenant {
        id: "initech",
        name: "Initech",
        plan: "business",
        region: "us-east-1",
        currency: "USD",
        large: false,
    },
    Tenant {
        id: "umbrella",
        name: "Umbrella Corporation",
        plan: "enterprise",
        region: "eu-west-1",
        currency: "EUR",
        large: true,
    },
    Tenant {
        id: "hooli",
        name: "Hooli",
        plan: "enterprise",
        region: "us-east-1",
        currency: "USD",
        large: true,
    },
];

impl Tenant {
    pub fn find(id: &str) -> Option<&'static Self> {
        TENANTS.iter().find(|tenant| tenant.id == id)
    }

    /// The same on every machine, so that documents can name it. Nothing real is behind it.
    pub fn api_key(&self) -> String {
        format!("sk_test_{}", self.id)
    }
}

/// How much history the tenants get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedSize {
    pub small_movements: i64,
    pub large_movements: i64,
}

impl Default for SeedSize {
    fn default() -> Self {
        Self {
            small_movements: SMALL_MOVEMENTS,
            large_movements: LARGE_MOVEMENTS,
        }
    }
}

impl SeedSize {
    /// For tests that do not look at the slow tenant.
    pub fn small() -> Self {
        Self {
            small_movements: SMALL_MOVEMENTS,
            large_movements: SMALL_MOVEMENTS,
        }
    }
}

/// Fills a database whose services have run their migrations.
pub async fn seed(database: &Database, size: SeedSize) -> anyhow::Result<()> {
    let mut connection = database.connect().await?;
    for tenant in &TENANTS {
        seed_tenant(&mut connection, tenant)
            .await
            .with_context(|| format!("cannot store the tenant {}", tenant.id))?;
    }
    for (large, movements) in [(false, size.small_movements), (true, size.large_movements)] {
        seed_movements(&mut connection, large, movements)
            .await
            .context("cannot store the stock movements")?;
    }
    // The planner must know of the rows before the first request, not some minutes later.
    for statement in [
        "VACUUM (ANALYZE) inventory.stock_movements",
        "ANALYZE inventory.inventory",
        "ANALYZE pricing.prices",
        "ANALYZE orders.tenants",
    ] {
        database::execute(&mut connection, statement)
            .await
            .with_context(|| format!("`{statement}` failed"))?;
    }
    let _ = connection.close().await;
    Ok(())
}

/// The text that is stored instead of an API key.
pub fn api_key_hash(api_key: &str) -> String {
    hex::encode(Sha256::digest(api_key))
}

async fn seed_tenant(connection: &mut PgConnection, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "INSERT INTO orders.tenants (tenant_id, name, plan, region, api_key_hash) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.id)
    .bind(tenant.name)
    .bind(tenant.plan)
    .bind(tenant.region)
    .bind(api_key_hash(&tenant.api_key()))
    .execute(&mut *transaction)
    .await?;
    sqlx::query("INSERT INTO pricing.price_lists (tenant_id, currency) VALUES ($1, $2)")
        .bind(tenant.id)
        .bind(tenant.currency)
        .execute(&mut *transaction)
        .await?;
    // From 4.99 to 203.59, the same item at the same price on every machine.
    sqlx::query(
        "INSERT INTO pricing.prices (tenant_id, sku, unit_price_minor) \
         SELECT $1, 'item_' || n, 499 + (n * 7919 % 199) * 100 + n * 3 % 70 \
         FROM generate_series(1, $2) AS n",
    )
    .bind(tenant.id)
    .bind(ITEMS)
    .execute(&mut *transaction)
    .await?;
    // Ten of anything are five percent cheaper; item_7 is on offer.
    sqlx::query(
        "INSERT INTO pricing.price_rules (tenant_id, priority, sku, min_quantity, basis_points) \
         VALUES ($1, 10, 'item_7', 1, 1500), ($1, 20, NULL, 10, 500)",
    )
    .bind(tenant.id)
    .execute(&mut *transaction)
    .await?;
    // Counted an hour ago, and so much of everything that no load sells out.
    sqlx::query(
        "INSERT INTO inventory.inventory (tenant_id, sku, counted_quantity, counted_at, version) \
         SELECT $1, 'item_' || n, 1000000, now() - interval '1 hour', 1 \
         FROM generate_series(1, $2) AS n",
    )
    .bind(tenant.id)
    .bind(ITEMS)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Two years of sales and deliveries, ending now: only the last hour counts, and the index that
/// would find it is not there. The tenants take turns, as they do in a shop: the rows of each lie
/// spread over the whole table.
async fn seed_movements(
    connection: &mut PgConnection,
    large: bool,
    movements: i64,
) -> Result<(), sqlx::Error> {
    let tenants: Vec<&str> = TENANTS
        .iter()
        .filter(|tenant| tenant.large == large)
        .map(|tenant| tenant.id)
        .collect();
    sqlx::query(
        "INSERT INTO inventory.stock_movements \
             (tenant_id, sku, quantity, reason, note, created_at) \
         SELECT tenant_id, \
                'item_' || 1 + n % $3, \
                CASE WHEN n % 20 = 0 THEN 40 ELSE -(1 + n % 3) END, \
                CASE WHEN n % 20 = 0 THEN 'delivery' ELSE 'sale' END, \
                'imported from the old warehouse system, line ' || n, \
                now() - interval '2 years' * ($2 - n) / $2 \
         FROM generate_series(1, $2) AS n, unnest($1::text[]) AS tenant_id",
    )
    .bind(tenants)
    .bind(movements)
    .bind(ITEMS)
    .execute(connection)
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_has_a_key_of_its_own() {
        let mut keys: Vec<_> = TENANTS.iter().map(Tenant::api_key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), TENANTS.len());
        assert_eq!(Tenant::find("acme").unwrap().api_key(), "sk_test_acme");
        assert_eq!(api_key_hash("sk_test_acme").len(), 64);
    }

    #[test]
    fn the_large_tenants_have_more_than_fifty_thousand_movements() {
        assert!(SeedSize::default().large_movements > 50_000);
        assert!(TENANTS.iter().filter(|tenant| tenant.large).count() >= 2);
    }
}
