//! Redis in front of the price list. A cache that fails is a miss: pricing goes on without it.

use std::collections::HashMap;

use contracts::{
    ids::{Sku, TenantId},
    inventory::Line,
    money::Currency,
};
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};
use telemetry::redis::Redis;

use crate::{rules::PriceRule, store::PriceList};

/// How long a price may be out of date when a change was not heard of, in seconds.
const TIME_TO_LIVE: u64 = 60;

/// One cached item: its price, and the rules that held when it was read.
#[derive(Serialize, Deserialize)]
struct Entry {
    currency: Currency,
    unit_price_minor: i64,
    rules: Vec<PriceRule>,
}

/// The cached prices of the cart, if every line has one: one round trip for the whole cart.
pub(crate) async fn find(redis: &Redis, tenant: &TenantId, lines: &[Line]) -> Option<PriceList> {
    let mut redis = redis.for_tenant(tenant.as_str());
    let keys: Vec<String> = lines
        .iter()
        .map(|line| redis.key(&key(&line.sku)))
        .collect();
    let cached: Vec<Option<String>> = match keys.as_slice() {
        [key] => redis.get(key).await.map(|entry| vec![entry]),
        keys => redis.mget(keys).await,
    }
    .unwrap_or_else(|error| {
        tracing::warn!(%error, "the price cache does not answer");
        vec![None; lines.len()]
    });

    lines
        .iter()
        .zip(cached)
        .map(|(line, entry)| {
            Some((
                line.sku.clone(),
                serde_json::from_str::<Entry>(&entry?).ok()?,
            ))
        })
        .collect::<Option<Vec<_>>>()
        .and_then(into_price_list)
}

/// The entries as one price list, unless they were read at different times and disagree.
fn into_price_list(entries: Vec<(Sku, Entry)>) -> Option<PriceList> {
    let (_, first) = entries.first()?;
    let (currency, rules) = (first.currency, first.rules.clone());
    if entries
        .iter()
        .any(|(_, entry)| entry.currency != currency || entry.rules != rules)
    {
        return None;
    }
    let unit_prices_minor = entries
        .into_iter()
        .map(|(sku, entry)| (sku, entry.unit_price_minor))
        .collect::<HashMap<_, _>>();
    Some(PriceList {
        currency,
        unit_prices_minor,
        rules,
    })
}

/// Keeps the prices for the next cart, in one round trip.
pub(crate) async fn keep(redis: &Redis, tenant: &TenantId, price_list: &PriceList) {
    let mut redis = redis.for_tenant(tenant.as_str());
    let entries: Vec<(String, String)> = price_list
        .unit_prices_minor
        .iter()
        .filter_map(|(sku, unit_price_minor)| {
            let entry = Entry {
                currency: price_list.currency,
                unit_price_minor: *unit_price_minor,
                rules: price_list.rules.clone(),
            };
            Some((redis.key(&key(sku)), serde_json::to_string(&entry).ok()?))
        })
        .collect();
    let kept: Result<(), _> = match entries.as_slice() {
        [] => Ok(()),
        [(key, entry)] => redis.set_ex(key, entry, TIME_TO_LIVE).await,
        entries => {
            let mut pipeline = redis::pipe();
            for (key, entry) in entries {
                pipeline.set_ex(key, entry, TIME_TO_LIVE).ignore();
            }
            pipeline.query_async(&mut redis).await
        }
    };
    if let Err(error) = kept {
        tracing::warn!(%error, "the price cache does not take entries");
    }
}

/// Forgets a price that changed.
pub(crate) async fn drop_price(redis: &Redis, tenant: &TenantId, sku: &Sku) {
    let mut redis = redis.for_tenant(tenant.as_str());
    let forgotten: Result<(), _> = redis.del(redis.key(&key(sku))).await;
    if let Err(error) = forgotten {
        tracing::warn!(%error, "a changed price stays in the cache until it expires");
    }
}

fn key(sku: &Sku) -> String {
    format!("price:{sku}")
}
