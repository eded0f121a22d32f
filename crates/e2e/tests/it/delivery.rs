//! SQS delivers at least once, and sometimes what nobody can read.

use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use e2e::{Shop, cart, eventually, tree};
use reqwest::StatusCode;
use serde_json::{Value, json};
use shop::Service;

/// Sends the event of an order to payment once more, as another program would.
pub(crate) async fn send_order_placed(
    shop: &Shop,
    order: &Value,
    traceparent: &str,
) -> anyhow::Result<()> {
    send(
        shop,
        "payment-events",
        order_placed(order),
        Some(traceparent),
    )
    .await
}

fn order_placed(order: &Value) -> String {
    json!({
        "type": "order_placed", "version": 1, "tenant_id": "acme",
        "order_id": order["order_id"], "lines": order["lines"], "total": order["total"],
        "placed_at": order["placed_at"],
    })
    .to_string()
}

async fn send(
    shop: &Shop,
    queue: &str,
    body: String,
    traceparent: Option<&str>,
) -> anyhow::Result<()> {
    let sqs = shop.stack.sqs_client().await;
    let url = sqs
        .get_queue_url()
        .queue_name(queue)
        .send()
        .await?
        .queue_url
        .unwrap();
    let attribute = traceparent.map(|value| {
        MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build()
            .unwrap()
    });
    let mut message = sqs.send_message().queue_url(url).message_body(body);
    if let Some(attribute) = attribute {
        message = message.message_attributes("traceparent", attribute);
    }
    message.send().await?;
    Ok(())
}

#[tokio::test]
async fn a_message_delivered_twice_moves_stock_and_bills_once() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let placed = shop.checkout(&cart()).await?;
    assert_eq!(placed.status, StatusCode::CREATED);
    shop.checkout_trace(placed.trace_id()).await?;
    let moved = "SELECT count(*) FROM inventory.stock_movements WHERE order_id IS NOT NULL";
    assert_eq!(shop.figure(moved).await?, 1);

    for queue in ["inventory-events", "payment-events"] {
        let trace = crate::context::trace_id();
        let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
        send(&shop, queue, order_placed(&placed.body), Some(&traceparent)).await?;
        let name = format!("process {queue}");
        let again = shop
            .trace_when(&trace, |tree| tree::count(tree, &name) == 1)
            .await?;
        assert!(
            again.spans().iter().all(|span| !span.is_error()),
            "{}",
            tree::outline(&again)
        );
    }
    assert_eq!(shop.figure(moved).await?, 1);
    assert_eq!(
        shop.figure("SELECT count(*) FROM payment.invoices").await?,
        1
    );
    shop.stop().await
}

#[tokio::test]
async fn messages_wait_for_a_consumer_that_is_away() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    let first = shop.checkout(&cart()).await?;
    shop.checkout_trace(first.trace_id()).await?;
    // Payment is needed to check out, so only its queue can wait: the message is sent by hand.
    shop.stack.kill_service(Service::Payment).await?;
    let mut body: Value = serde_json::from_str(&order_placed(&first.body))?;
    body["order_id"] = json!(uuid::Uuid::now_v7());
    send(&shop, "payment-events", body.to_string(), None).await?;
    shop.stack.start_service(Service::Payment).await?;
    shop.figure_becomes("SELECT count(*) FROM payment.invoices", 2)
        .await?;
    shop.stop().await
}

#[tokio::test]
async fn a_message_that_nobody_can_read_ends_in_the_dead_letter_queue() -> anyhow::Result<()> {
    let shop = Shop::start().await?;
    for queue in ["inventory-events", "payment-events"] {
        for body in ["not json", r#"{"type":"order_placed","version":99}"#] {
            send(&shop, queue, body.to_owned(), None).await?;
        }
    }
    let sqs = shop.stack.sqs_client().await;
    for queue in ["inventory-events-dlq", "payment-events-dlq"] {
        let url = sqs
            .get_queue_url()
            .queue_name(queue)
            .send()
            .await?
            .queue_url
            .unwrap();
        let arrived = eventually(async || {
            let attributes = sqs
                .get_queue_attributes()
                .queue_url(&url)
                .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
                .send()
                .await?;
            let count = attributes.attributes.and_then(|all| {
                all.get(&QueueAttributeName::ApproximateNumberOfMessages)
                    .cloned()
            });
            Ok(count.as_deref() == Some("2"))
        })
        .await?;
        assert!(arrived, "{queue}");
    }
    assert_eq!(
        shop.checkout(&cart()).await?.status,
        StatusCode::CREATED,
        "the consumers still work"
    );
    shop.stop().await
}
