use contracts::{
    events::{Event, OrderPlaced},
    ids::OrderId,
    money::{Currency, Money},
    orders::OrderLine,
};
use telemetry::{TraceCarrier, sqs::Queue, testing::trace};
use time::OffsetDateTime;

use crate::support::{QUEUE, Setup, TestApp, eventually, tree};

fn placed(app: &TestApp, order_id: OrderId) -> OrderPlaced {
    let line = |sku: &str, quantity, total_minor| OrderLine {
        sku: sku.parse().unwrap(),
        quantity,
        unit_price_minor: 1999,
        total_minor,
    };
    OrderPlaced {
        version: OrderPlaced::VERSION,
        tenant_id: app.tenant.parse().unwrap(),
        order_id,
        lines: vec![line("item_42", 1, 1999), line("item_7", 2, 3998)],
        total: Money::new(5997, Currency::Eur),
        placed_at: OffsetDateTime::now_utc(),
    }
}

async fn queue(app: &TestApp, name: &str) -> Queue {
    Queue::resolve(app.queues.client(), name).await.unwrap()
}

async fn invoices(app: &mut TestApp, order: OrderId) -> Vec<(String, i64)> {
    sqlx::query_as(
        "SELECT html, total_minor FROM payment.invoices WHERE tenant_id = $1 AND order_id = $2",
    )
    .bind(&app.tenant)
    .bind(order.as_uuid())
    .fetch_all(&mut app.db)
    .await
    .unwrap()
}

/// Messages that are in the queue, delivered or not.
async fn waiting(queue: &Queue, app: &TestApp) -> i32 {
    use aws_sdk_sqs::types::QueueAttributeName::{
        ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible,
    };

    let attributes = app
        .queues
        .client()
        .get_queue_attributes()
        .queue_url(queue.url())
        .attribute_names(ApproximateNumberOfMessages)
        .attribute_names(ApproximateNumberOfMessagesNotVisible)
        .send()
        .await
        .unwrap();
    let attributes = attributes.attributes().unwrap();
    [
        ApproximateNumberOfMessages,
        ApproximateNumberOfMessagesNotVisible,
    ]
    .iter()
    .map(|name| attributes[name].parse::<i32>().unwrap())
    .sum()
}

#[tokio::test]
async fn an_order_that_was_placed_gets_its_invoice_in_the_same_trace() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();
    let queue = queue(&app, QUEUE).await;
    let body = Event::OrderPlaced(placed(&app, order)).to_body();

    let told = trace("checkout", async {
        telemetry::with_tenant("acme", async {
            queue.send(body, &TraceCarrier::capture()).await.unwrap()
        })
        .await;
        telemetry::untraced(eventually("the invoice", async || {
            let done = waiting(&queue, &app).await == 0;
            let invoices = invoices(&mut app, order).await;
            (done && !invoices.is_empty()).then_some(invoices)
        }))
        .await
    })
    .await;

    let [(html, total_minor)] = told.result.as_slice() else {
        panic!("{:?}", told.result);
    };
    assert_eq!(*total_minor, 5997);
    for text in [
        "item_42",
        "item_7",
        "19.99 EUR",
        "39.98 EUR",
        "59.97 EUR",
        "acme",
        &order.to_string(),
    ] {
        assert!(html.contains(text), "{text} is missing in {html}");
    }
    assert_eq!(
        tree(&told),
        "\
checkout
  send payment-events PRODUCER
    process payment-events CONSUMER
      invoice.render
        INSERT invoices CLIENT
      delete payment-events CLIENT
"
    );
    assert_eq!(
        told.attribute("invoice.render", "tenant.id").as_deref(),
        Some("acme")
    );
    assert_eq!(
        told.attribute("invoice.render", "order.id"),
        Some(order.to_string())
    );
    assert_eq!(told.span("process payment-events").links.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn an_invoice_is_kept_once_however_often_the_message_comes() {
    let mut app = TestApp::spawn().await;
    let order = OrderId::generate();
    let queue = queue(&app, QUEUE).await;
    let body = Event::OrderPlaced(placed(&app, order)).to_body();
    for _ in 0..5 {
        queue
            .send(body.clone(), &TraceCarrier::capture())
            .await
            .unwrap();
    }
    eventually("the end of the queue", async || {
        (waiting(&queue, &app).await == 0).then_some(())
    })
    .await;
    assert_eq!(invoices(&mut app, order).await.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_read_goes_to_the_dead_letters_and_stops_nobody() {
    let mut app = TestApp::spawn_with(Setup {
        max_receive_count: 1,
        ..Setup::default()
    })
    .await;
    let order = OrderId::generate();
    let (queue, dead_letters) = (
        queue(&app, QUEUE).await,
        queue(&app, &format!("{QUEUE}-dlq")).await,
    );
    let newer = OrderPlaced {
        version: OrderPlaced::VERSION + 1,
        ..placed(&app, order)
    };
    for body in [
        "no event of ours".to_owned(),
        Event::OrderPlaced(newer).to_body(),
    ] {
        queue.send(body, &TraceCarrier::capture()).await.unwrap();
    }
    let good = Event::OrderPlaced(placed(&app, order)).to_body();
    queue.send(good, &TraceCarrier::capture()).await.unwrap();

    eventually("the invoice", async || {
        (invoices(&mut app, order).await.len() == 1).then_some(())
    })
    .await;
    eventually("both dead letters", async || {
        (waiting(&dead_letters, &app).await == 2).then_some(())
    })
    .await;
    eventually("an empty queue", async || {
        (waiting(&queue, &app).await == 0).then_some(())
    })
    .await;
    app.stop().await;
}
