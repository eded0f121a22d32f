//! A trace that another program began goes on through every service and every transport, and
//! its decision not to be sampled holds everywhere.

use contracts::pricing::{CartLine, QuoteCartRequest, pricing_client::PricingClient};
use e2e::{Shop, cart, tree};
use reqwest::StatusCode;
use serde_json::json;
use shop::Service;
use tonic::transport::Endpoint;
use trace_tree::{Kind, TraceTree};

const PARENT: &str = "00f067aa0ba902b7";

pub(crate) fn trace_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn traceparent(trace_id: &str, flags: &str) -> String {
    format!("00-{trace_id}-{PARENT}-{flags}")
}

fn parent_of(tree: &TraceTree, index: usize) -> String {
    tree.span(index).parent().unwrap().to_string()
}

#[tokio::test]
async fn a_foreign_trace_goes_on_through_all_services() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let trace_id = trace_id();
    let headers = [
        ("traceparent", traceparent(&trace_id, "01")),
        ("tracestate", "vendor=value".to_owned()),
    ];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let answer = shop.checkout_as("acme", &cart(), &headers).await?;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.trace_id(), trace_id);

    let tree = shop.checkout_trace(&trace_id).await?;
    let services: Vec<&str> = tree.services().into_iter().collect();
    assert_eq!(
        services,
        ["inventory", "orders", "payment", "pricing"],
        "{}",
        tree::outline(&tree)
    );
    let root = tree::only(&tree, "orders", Kind::Server, "POST /checkout");
    assert_eq!(parent_of(&tree, root), PARENT);
    assert_eq!(tree.remote_parent().unwrap().to_string(), PARENT);
    assert!(tree.orphans().is_empty());
    shop.stop().await
}

#[tokio::test]
async fn an_unsampled_trace_stays_unsampled_everywhere() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let unsampled = trace_id();
    let answer = shop
        .checkout_as(
            "acme",
            &cart(),
            &[("traceparent", &traceparent(&unsampled, "00"))],
        )
        .await?;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(
        answer.trace_id(),
        unsampled,
        "a person can still name the trace"
    );
    // Both messages were worked off, so everything that could have made a span has run. A sampled
    // checkout after it shows that spans arrive.
    shop.figure_becomes("SELECT count(*) FROM payment.invoices", 1)
        .await?;
    shop.figure_becomes(
        "SELECT count(*) FROM inventory.reservations WHERE state = 'committed'",
        1,
    )
    .await?;
    let sampled = shop.checkout(&cart()).await?;
    shop.checkout_trace(sampled.trace_id()).await?;
    assert!(shop.tempo.trace(&unsampled).await?.is_empty());
    shop.stop().await
}

#[tokio::test]
async fn a_malformed_or_oversized_context_never_fails_a_request() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let huge_baggage = format!("k={}", "x".repeat(7_000));
    let huge_state = format!("a={}", "y".repeat(7_000));
    for headers in [
        [("traceparent", "nonsense"), ("baggage", "=;,=")],
        [
            (
                "traceparent",
                "00-00000000000000000000000000000000-0000000000000000-01",
            ),
            ("baggage", ""),
        ],
        [
            (
                "traceparent",
                "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("tracestate", "="),
        ],
        [("tracestate", &huge_state), ("baggage", &huge_baggage)],
    ] {
        let answer = shop.checkout_as("acme", &cart(), &headers).await?;
        assert_eq!(answer.status, StatusCode::CREATED, "{headers:?}");
        let tree = shop.checkout_trace(answer.trace_id()).await?;
        assert!(
            tree.has_single_root() && tree.remote_parent().is_none(),
            "{}",
            tree::outline(&tree)
        );
    }
    shop.stop().await
}

#[tokio::test]
async fn each_transport_continues_a_foreign_trace() -> anyhow::Result<()> {
    let shop = Shop::start().await?;

    let over_http = trace_id();
    let url = shop.stack.inventory_url().join("/reservations")?;
    let reserve =
        json!({ "order_id": uuid::Uuid::now_v7(), "lines": [{ "sku": "item_42", "quantity": 1 }] });
    let headers = [
        ("traceparent", traceparent(&over_http, "01")),
        ("x-tenant-id", "acme".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let reserved = shop.post(&url, &headers, reserve.to_string()).await?;
    assert!(reserved.status.is_success(), "{reserved:?}");
    let tree = shop
        .trace_when(&over_http, |tree| {
            tree::count(tree, "POST /reservations") == 1
        })
        .await?;
    let server = tree::only(&tree, "inventory", Kind::Server, "POST /reservations");
    assert_eq!(parent_of(&tree, server), PARENT);

    let over_grpc = trace_id();
    // A caller without our telemetry: its context is what it writes by hand.
    let url = shop.stack.url_of(Service::Pricing).to_string();
    let channel = Endpoint::from_shared(url)?.connect_lazy();
    let mut quote = tonic::Request::new(QuoteCartRequest {
        tenant_id: "acme".to_owned(),
        lines: vec![CartLine {
            sku: "item_42".to_owned(),
            quantity: 1,
        }],
    });
    quote
        .metadata_mut()
        .insert("traceparent", traceparent(&over_grpc, "01").parse()?);
    PricingClient::new(channel).quote_cart(quote).await?;
    let method = "pricing.v1.Pricing/QuoteCart";
    let tree = shop
        .trace_when(&over_grpc, |tree| tree::count(tree, method) == 1)
        .await?;
    assert_eq!(
        parent_of(&tree, tree::only(&tree, "pricing", Kind::Server, method)),
        PARENT
    );

    let over_sqs = trace_id();
    let placed = shop.checkout(&cart()).await?;
    shop.checkout_trace(placed.trace_id()).await?;
    crate::delivery::send_order_placed(&shop, &placed.body, &traceparent(&over_sqs, "01")).await?;
    let name = "process payment-events";
    let tree = shop
        .trace_when(&over_sqs, |tree| tree::count(tree, name) == 1)
        .await?;
    let process = tree::only(&tree, "payment", Kind::Consumer, name);
    assert_eq!(parent_of(&tree, process), PARENT);
    assert_eq!(tree.span(process).links[0].span_id.to_string(), PARENT);
    shop.stop().await
}
