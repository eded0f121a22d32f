//! Many checkouts at once: every trace is one tree, every order is in the books once.

use e2e::{Shop, cart};
use futures_util::{StreamExt, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shop::{Service, StackOptions};

const CHECKOUTS: usize = 500;

fn cart_number(n: usize) -> Value {
    let mut cart = cart();
    cart["lines"][0]["sku"] = json!(format!("item_{}", n % 100 + 1));
    cart
}

#[tokio::test]
async fn five_hundred_checkouts_at_once_make_five_hundred_whole_trees() -> anyhow::Result<()> {
    // All at once on two loaded cores: this is about trees, not about the deadline.
    let options = StackOptions::for_tests()?.with_env(Service::Orders, "ORDERS_DEADLINE", "120s");
    let shop = Shop::start_with(options).await?;
    let tenants = ["acme", "globex", "initech"];
    let answers: Vec<_> = stream::iter(0..CHECKOUTS)
        .map(|n| {
            let shop = &shop;
            async move {
                shop.checkout_as(tenants[n % tenants.len()], &cart_number(n), &[])
                    .await
            }
        })
        .buffer_unordered(CHECKOUTS)
        .collect()
        .await;

    for answer in answers {
        let answer = answer?;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let tree = shop.checkout_trace(answer.trace_id()).await?;
        assert!(tree.has_single_root());
        assert!(tree.orphans().is_empty());
        assert!(tree.duplicates().is_empty());
    }
    let expected = i64::try_from(CHECKOUTS)?;
    for select in [
        "SELECT count(*) FROM orders.orders",
        "SELECT count(*) FROM payment.payments WHERE state = 'captured'",
        "SELECT count(*) FROM payment.invoices",
        "SELECT count(*) FROM inventory.stock_movements WHERE order_id IS NOT NULL",
        "SELECT count(*) FROM inventory.reservations WHERE state = 'committed'",
    ] {
        assert_eq!(shop.figure(select).await?, expected, "{select}");
    }
    assert_eq!(shop.figure("SELECT count(*) FROM orders.outbox").await?, 0);
    shop.stop().await
}
