use contracts::{
    events::{Event, OrderPlaced},
    ids::OrderId,
    inventory::Reservation,
    money::{Currency, Money},
    orders::OrderLine,
};
use telemetry::{TraceCarrier, testing};

use crate::support::{TestApp, eventually, to_sku};

const MOVEMENTS: &str = "SELECT count(*) FROM inventory.stock_movements WHERE tenant_id = $1";
const MOVED: &str =
    "SELECT coalesce(sum(quantity), 0)::bigint FROM inventory.stock_movements WHERE tenant_id = $1";
const COMMITTED: &str =
    "SELECT count(*) FROM inventory.reservations WHERE tenant_id = $1 AND state = 'committed'";

fn placed(app: &TestApp, order_id: OrderId, lines: &[(&str, u32)]) -> String {
    let lines = lines
        .iter()
        .map(|(sku, quantity)| OrderLine {
            sku: to_sku(sku),
            quantity: *quantity,
            unit_price_minor: 1000,
            total_minor: 1000 * i64::from(*quantity),
        })
        .collect();
    let event = Event::OrderPlaced(OrderPlaced {
        version: OrderPlaced::VERSION,
        tenant_id: app.tenant.parse().unwrap(),
        order_id,
        lines,
        total: Money::new(1000, Currency::Eur),
        placed_at: time::OffsetDateTime::now_utc(),
    });
    serde_json::to_string(&event).unwrap()
}

async fn send(app: &TestApp, body: String) {
    app.queue
        .send(body, &TraceCarrier::capture())
        .await
        .unwrap();
}

async fn reserved(app: &TestApp, lines: &[(&str, u32)]) -> Reservation {
    app.reserve(OrderId::generate(), lines).await.unwrap()
}

#[tokio::test]
async fn a_placed_order_moves_its_stock_once_however_often_it_is_told() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    app.stock("item_2", 5).await;
    let lines = [("item_2", 1), ("item_1", 2)];
    let order_id = reserved(&app, &lines).await.order_id;

    for _ in 0..3 {
        send(&app, placed(&app, order_id, &lines)).await;
    }
    // Told last of all: when this one is done, the copies are delivered as well.
    let last = reserved(&app, &[("item_1", 1)]).await.order_id;
    send(&app, placed(&app, last, &[("item_1", 1)])).await;
    eventually("both orders are committed", || async {
        app.number(COMMITTED).await == 2
    })
    .await;
    eventually("the queue is empty", || is_empty(&app, "inventory-events")).await;

    assert_eq!(
        (app.number(MOVEMENTS).await, app.number(MOVED).await),
        (3, -4)
    );
    assert_eq!(
        (app.available("item_1").await, app.available("item_2").await),
        (2, 4)
    );
    let (status, problem) = app.release(order_id).await.unwrap_err();
    assert_eq!(status, 409);
    assert!(
        problem.detail.contains("cannot be released"),
        "{}",
        problem.detail
    );
    let again = app.reserve(order_id, &lines).await.unwrap();
    assert_eq!(again.order_id, order_id);
    assert_eq!(app.available("item_1").await, 2);
    app.stop().await;
}

#[tokio::test]
async fn an_order_that_was_paid_moves_its_stock_also_when_the_hold_had_ended() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    let released = reserved(&app, &[("item_1", 1)]).await.order_id;
    app.release(released).await.unwrap();
    let expired = reserved(&app, &[("item_1", 1)]).await.order_id;
    app.sql("UPDATE inventory.reservation_lines SET held = false WHERE tenant_id = $1")
        .await;
    app.sql("UPDATE inventory.reservations SET state = 'expired' WHERE tenant_id = $1 AND state = 'held'").await;

    for order_id in [released, expired, OrderId::generate()] {
        send(&app, placed(&app, order_id, &[("item_1", 1)])).await;
    }

    eventually("three movements are written", || async {
        app.number(MOVEMENTS).await == 3
    })
    .await;
    assert_eq!(app.number(COMMITTED).await, 2);
    assert_eq!(app.available("item_1").await, 2);
    app.stop().await;
}

#[tokio::test]
async fn a_message_that_is_no_event_ends_in_the_dead_letter_queue_and_holds_nobody_up() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    let order_id = reserved(&app, &[("item_1", 1)]).await.order_id;
    make_deliveries_count(&app, 1).await;

    send(&app, r#"{"type":"order_forgotten"}"#.to_owned()).await;
    send(&app, placed(&app, order_id, &[("item_1", 1)])).await;

    eventually("the good message is committed", || async {
        app.number(COMMITTED).await == 1
    })
    .await;
    eventually("the bad one is a dead letter", || async {
        !is_empty(&app, "inventory-events-dlq").await
    })
    .await;
    assert_eq!(app.number(MOVEMENTS).await, 1);
    app.stop().await;
}

#[tokio::test]
async fn the_stock_movement_is_in_the_trace_that_caused_it() {
    let app = TestApp::spawn().await;
    app.stock("item_1", 5).await;
    let order_id = reserved(&app, &[("item_1", 1)]).await.order_id;

    let recorded = testing::trace("checkout", async {
        send(&app, placed(&app, order_id, &[("item_1", 1)])).await;
        eventually("the queue is empty", || {
            telemetry::untraced(async {
                app.number(COMMITTED).await == 1 && is_empty(&app, "inventory-events").await
            })
        })
        .await;
    })
    .await;

    assert_eq!(
        recorded.shape().replace("        pool.acquire\n", ""),
        "checkout
  send inventory-events PRODUCER
    process inventory-events CONSUMER
      commitStock
        SELECT FOR UPDATE inventory CLIENT
        INSERT stock_movements CLIENT
        COMMIT CLIENT
        DEL inventory CLIENT
      delete inventory-events CLIENT
"
    );
    assert_eq!(
        recorded.attribute("commitStock", "order.id"),
        Some(order_id.to_string())
    );
    assert_eq!(
        recorded.attribute("INSERT stock_movements", "tenant.id"),
        Some(app.tenant.clone())
    );
    app.stop().await;
}

/// Whether SQS holds no message of this queue, waiting or in flight.
async fn is_empty(app: &TestApp, queue: &str) -> bool {
    use aws_sdk_sqs::types::QueueAttributeName::{
        ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible,
    };
    let url = app
        .sqs
        .get_queue_url()
        .queue_name(queue)
        .send()
        .await
        .unwrap();
    let attributes = app
        .sqs
        .get_queue_attributes()
        .queue_url(url.queue_url.unwrap())
        .attribute_names(ApproximateNumberOfMessages)
        .attribute_names(ApproximateNumberOfMessagesNotVisible)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap();
    [
        ApproximateNumberOfMessages,
        ApproximateNumberOfMessagesNotVisible,
    ]
    .iter()
    .all(|name| attributes[name] == "0")
}

/// Lets the queue give up after so many deliveries.
async fn make_deliveries_count(app: &TestApp, count: u32) {
    use aws_sdk_sqs::types::QueueAttributeName::{QueueArn, RedrivePolicy};
    let dead = app
        .sqs
        .get_queue_url()
        .queue_name("inventory-events-dlq")
        .send()
        .await
        .unwrap();
    let arn = app
        .sqs
        .get_queue_attributes()
        .queue_url(dead.queue_url.unwrap())
        .attribute_names(QueueArn)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap()
        .remove(&QueueArn)
        .unwrap();
    let policy = serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": count });
    app.sqs
        .set_queue_attributes()
        .queue_url(app.queue.url())
        .attributes(RedrivePolicy, policy.to_string())
        .send()
        .await
        .unwrap();
}
