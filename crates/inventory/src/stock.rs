//! What is on hand: from the cache as far as it knows, from the ledger for the rest. A figure
//! bears the version of its item, so that it can be told from the truth under the row lock.

use std::collections::HashMap;

use contracts::{
    ids::{Sku, TenantId},
    inventory::Line,
};
use serde::{Deserialize, Serialize};

use crate::{State, cache, error::ReserveError, store};

/// How many of an item are on hand, held or not, at one version of the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stock {
    pub(crate) on_hand: i64,
    pub(crate) version: i64,
}

/// The stock of these items: one round trip to the cache, and one to the ledger if the cache
/// does not know all of them. It may be outdated when it arrives.
pub(crate) async fn find(
    state: &State,
    tenant: &TenantId,
    skus: &[Sku],
) -> Result<HashMap<Sku, Stock>, ReserveError> {
    let mut found = cache::find(&state.redis, tenant, skus).await;
    let missed: Vec<Sku> = skus
        .iter()
        .filter(|sku| !found.contains_key(*sku))
        .cloned()
        .collect();
    if !missed.is_empty() {
        let counted = store::find_stock(&state.db, tenant, &missed).await?;
        cache::keep(&state.redis, tenant, &counted).await;
        found.extend(counted);
    }
    match skus.iter().find(|sku| !found.contains_key(*sku)) {
        Some(unknown) => Err(ReserveError::NotStocked(unknown.clone())),
        None => Ok(found),
    }
}

/// The items whose figure is not of the version that the database says is the last.
pub(crate) fn outdated(found: &HashMap<Sku, Stock>, versions: &HashMap<Sku, i64>) -> Vec<Sku> {
    let mut outdated: Vec<Sku> = versions
        .iter()
        .filter(|(sku, version)| {
            found
                .get(*sku)
                .is_none_or(|stock| stock.version != **version)
        })
        .map(|(sku, _)| sku.clone())
        .collect();
    outdated.sort();
    outdated
}

/// The first line that asks for more than there is.
pub(crate) fn shortage(lines: &[Line], available: &HashMap<Sku, i64>) -> Option<ReserveError> {
    lines.iter().find_map(|line| {
        let available = available.get(&line.sku).copied().unwrap_or(0);
        (available < i64::from(line.quantity)).then(|| ReserveError::OutOfStock {
            sku: line.sku.clone(),
            requested: line.quantity,
            available,
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::hash_map, prelude::*};

    use super::*;

    fn sku() -> impl Strategy<Value = Sku> {
        "[a-e]".prop_map(|text| text.parse().unwrap())
    }

    fn stock() -> impl Strategy<Value = Stock> {
        (-5_i64..5, 0_i64..3).prop_map(|(on_hand, version)| Stock { on_hand, version })
    }

    proptest! {
        #[test]
        fn a_figure_is_used_only_at_the_version_of_the_locked_row(
            found in hash_map(sku(), stock(), 0..5),
            versions in hash_map(sku(), 0_i64..3, 0..5),
        ) {
            let outdated = outdated(&found, &versions);
            for (sku, version) in &versions {
                let is_current = found.get(sku).is_some_and(|stock| stock.version == *version);
                prop_assert_eq!(outdated.contains(sku), !is_current);
            }
            prop_assert!(outdated.iter().all(|sku| versions.contains_key(sku)));
        }

        #[test]
        fn a_cart_is_short_exactly_when_one_of_its_lines_is(
            wanted in hash_map(sku(), 1_u32..5, 1..5),
            available in hash_map(sku(), -5_i64..5, 0..5),
        ) {
            let lines: Vec<Line> = wanted
                .into_iter()
                .map(|(sku, quantity)| Line { sku, quantity })
                .collect();
            let is_short = lines
                .iter()
                .any(|line| available.get(&line.sku).copied().unwrap_or(0) < i64::from(line.quantity));
            prop_assert_eq!(shortage(&lines, &available).is_some(), is_short);
        }

        #[test]
        fn an_entry_of_the_cache_reads_back_as_it_was(stock in stock()) {
            let text = serde_json::to_string(&stock).unwrap();
            prop_assert_eq!(serde_json::from_str::<Stock>(&text).unwrap(), stock);
        }
    }
}
