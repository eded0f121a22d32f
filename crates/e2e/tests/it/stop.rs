//! SIGTERM in the middle of a checkout: what was answered for is stored, and every finished
//! request has its spans.

use e2e::{Shop, cart, eventually, tree};
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use reqwest::StatusCode;
use serde_json::json;
use shop::Service;

#[tokio::test]
async fn sigterm_in_mid_checkout_loses_no_order_and_no_span() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    shop.set_processor_faults(json!({ "latency_ms": 1000 }))
        .await?;
    let carts: Vec<_> = (1..=8)
        .map(|n| {
            let mut cart = cart();
            cart["lines"][0]["sku"] = json!(format!("item_{n}"));
            cart
        })
        .collect();
    let checkouts = join_all(carts.iter().map(|cart| shop.checkout(cart)));
    let terminate = async {
        // All eight hold stock and wait for the processor: now.
        shop.figure_becomes(
            "SELECT count(*) FROM inventory.reservations WHERE state = 'held'",
            8,
        )
        .await?;
        shop.stack.signal_service(Service::Orders, Signal::SIGTERM)
    };
    let (answers, terminated) = futures_util::join!(checkouts, terminate);
    terminated?;

    let mut traces = Vec::new();
    for answer in answers {
        let answer = answer?;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        traces.push(answer.trace_id().to_owned());
    }
    assert_eq!(shop.figure("SELECT count(*) FROM orders.orders").await?, 8);

    // What orders had not sent when it stopped, it sends when it is back.
    let ended = eventually(async || {
        Ok(shop
            .stack
            .pid(Service::Orders)
            .is_none_or(|pid| !is_running(pid)))
    })
    .await?;
    assert!(ended, "orders did not stop");
    shop.stack.start_service(Service::Orders).await?;
    for trace in traces {
        let tree = shop.checkout_trace(&trace).await?;
        assert_eq!(tree::count(&tree, "handleCheckout"), 1);
        assert_eq!(tree::count(&tree, "POST /checkout"), 1);
    }
    shop.figure_becomes("SELECT count(*) FROM payment.invoices", 8)
        .await?;
    shop.stop().await
}

fn is_running(pid: u32) -> bool {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, None).is_ok()
}

#[tokio::test]
async fn every_service_stops_in_order_and_flushes_its_spans() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let answer = shop.checkout(&cart()).await?;
    shop.checkout_trace(answer.trace_id()).await?;
    for service in Service::ALL.into_iter().rev() {
        let stopped = shop.stack.stop_service(service).await?;
        assert_eq!(stopped, shop::process::Stopped::Orderly, "{service}");
    }
    shop.stop().await
}
