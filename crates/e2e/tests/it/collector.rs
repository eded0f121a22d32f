//! A trace backend that is away, or slow, costs a checkout nothing.

use std::time::{Duration, Instant};

use e2e::{Shop, cart};
use reqwest::StatusCode;
use shop::StackOptions;
use tokio::net::TcpListener;

async fn ten_checkouts(shop: &Shop) -> anyhow::Result<Duration> {
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let begun = Instant::now();
        assert_eq!(shop.checkout(&cart()).await?.status, StatusCode::CREATED);
        slowest = slowest.max(begun.elapsed());
    }
    Ok(slowest)
}

#[tokio::test]
async fn a_dead_collector_leaves_checkouts_unharmed() -> anyhow::Result<()> {
    // Bound and given back: nobody listens there.
    let dead = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let options = StackOptions {
        collector: Some(format!("http://{dead}")),
        ..StackOptions::for_tests()?
    };
    let shop = Shop::start_with(options).await?;
    ten_checkouts(&shop).await?;
    shop.figure_becomes("SELECT count(*) FROM payment.invoices", 10)
        .await?;
    shop.stop().await
}

#[tokio::test]
async fn a_collector_that_never_answers_leaves_checkouts_unharmed() -> anyhow::Result<()> {
    // Accepts connections into its backlog and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let options = StackOptions {
        collector: Some(format!("http://{}", silent.local_addr()?)),
        ..StackOptions::for_tests()?
    };
    let shop = Shop::start_with(options).await?;
    let slowest = ten_checkouts(&shop).await?;
    assert!(
        slowest < Duration::from_secs(5),
        "a checkout waited {slowest:?}, as long as an export may"
    );
    shop.stop().await
}
