//! The tenant with the long history is slow for the missing index, and only for that.

use std::time::Duration;

use e2e::{Shop, cart};
use loadgen::history;
use shop::{StackOptions, seed::SeedSize};
use sqlx::raw_sql;
use trace_tree::slow;

/// The median of what the inventory query took in checkouts of this tenant.
async fn inventory_query(shop: &Shop, tenant: &str) -> anyhow::Result<Duration> {
    let mut took = Vec::new();
    for _ in 0..9 {
        let answer = shop.checkout_as(tenant, &cart(), &[]).await?;
        // The consumer drops the cached figure, so the next checkout asks Postgres again.
        let tree = shop.checkout_trace(answer.trace_id()).await?;
        let query = tree
            .spans()
            .iter()
            .find(|span| span.name == "SELECT inventory")
            .unwrap_or_else(|| panic!("no inventory query:\n{}", e2e::tree::outline(&tree)));
        took.push(query.duration());
    }
    took.sort();
    Ok(took[took.len() / 2])
}

#[tokio::test]
async fn the_large_tenant_is_ten_times_slower_until_the_index_is_there() -> anyhow::Result<()> {
    let options = StackOptions {
        seed: SeedSize::default(),
        ..StackOptions::for_tests()?
    };
    let shop = Shop::start_with(options).await?;

    let small = inventory_query(&shop, "acme").await?;
    let large = inventory_query(&shop, "umbrella").await?;
    assert!(
        large > small * 10,
        "without the index: large {large:?}, small {small:?}"
    );

    let slow_checkout = shop.checkout_as("hooli", &cart(), &[]).await?;
    let tree = shop.checkout_trace(slow_checkout.trace_id()).await?;
    // Half of what has been seen is slow by now: the usual is what small tenants see.
    for _ in 0..12 {
        shop.checkout_as("globex", &cart(), &[]).await?;
    }
    let baseline = history::baseline(&shop.tempo, &tree).await?;
    let mark = slow::mark(&tree, Some(&baseline)).expect("the slow tenant's trace has a slow span");
    assert_eq!(
        tree.span(mark.span).name,
        "SELECT inventory",
        "{}",
        mark.reason
    );
    assert!(
        mark.reason.ratio().is_some_and(|ratio| ratio > 5.0),
        "{}",
        mark.reason
    );

    let mut database = shop.database().await?;
    raw_sql(
        "CREATE INDEX stock_movements_recent ON inventory.stock_movements (tenant_id, created_at);
         ANALYZE inventory.stock_movements;",
    )
    .execute(&mut database)
    .await?;
    let large = inventory_query(&shop, "umbrella").await?;
    let small = inventory_query(&shop, "acme").await?;
    assert!(
        large < small * 10,
        "with the index: large {large:?}, small {small:?}"
    );
    shop.stop().await
}
