//! Redis in front of the ledger. A cache that fails is a miss: inventory goes on without it,
//! and what it says is believed only where its version is still the item's.

use std::collections::HashMap;

use contracts::ids::{Sku, TenantId};
use redis::{AsyncCommands, Cmd};
use telemetry::redis::Redis;

use crate::stock::Stock;

/// How long an entry lives that nobody drops, in seconds.
const TIME_TO_LIVE: u64 = 60;

/// The cached stock of these items, as far as there is any: one round trip for all of them.
pub(crate) async fn find(redis: &Redis, tenant: &TenantId, skus: &[Sku]) -> HashMap<Sku, Stock> {
    let mut redis = redis.for_tenant(tenant.as_str());
    let keys: Vec<String> = skus.iter().map(|sku| redis.key(&key(sku))).collect();
    let entries: Vec<Option<String>> = match keys.as_slice() {
        [key] => redis.get(key).await.map(|entry| vec![entry]),
        keys => redis.mget(keys).await,
    }
    .unwrap_or_else(|error| {
        tracing::warn!(%error, "the stock cache does not answer");
        Vec::new()
    });
    skus.iter()
        .zip(entries)
        .filter_map(|(sku, entry)| Some((sku.clone(), serde_json::from_str(&entry?).ok()?)))
        .collect()
}

/// Keeps the stock for the next cart, in one round trip.
pub(crate) async fn keep(redis: &Redis, tenant: &TenantId, stock: &HashMap<Sku, Stock>) {
    let mut redis = redis.for_tenant(tenant.as_str());
    let mut sets: Vec<Cmd> = stock
        .iter()
        .filter_map(|(sku, stock)| {
            let mut set = redis::cmd("SET");
            set.arg(redis.key(&key(sku)))
                .arg(serde_json::to_string(stock).ok()?)
                .arg("EX")
                .arg(TIME_TO_LIVE);
            Some(set)
        })
        .collect();
    let kept = match sets.len() {
        0 => Ok(()),
        1 => sets.remove(0).query_async::<()>(&mut redis).await,
        _ => {
            let mut pipeline = redis::pipe();
            for set in sets {
                pipeline.add_command(set).ignore();
            }
            pipeline.query_async::<()>(&mut redis).await
        }
    };
    if let Err(error) = kept {
        tracing::warn!(%error, "the stock cache does not take entries");
    }
}

/// Forgets items that changed, in one round trip.
pub(crate) async fn drop_items(redis: &Redis, tenant: &TenantId, skus: &[Sku]) {
    let mut redis = redis.for_tenant(tenant.as_str());
    let keys: Vec<String> = skus.iter().map(|sku| redis.key(&key(sku))).collect();
    if keys.is_empty() {
        return;
    }
    if let Err(error) = redis.del::<_, ()>(keys).await {
        tracing::warn!(%error, "changed items stay in the stock cache until they expire");
    }
}

fn key(sku: &Sku) -> String {
    format!("inventory:{sku}")
}
