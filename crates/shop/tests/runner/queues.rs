//! The embedded SQS endpoint has the queues of the shop, with their dead-letter queues.

use aws_sdk_sqs::types::QueueAttributeName;
use shop::sqs::{Endpoint, QUEUES, create_queues};

#[tokio::test]
async fn every_queue_has_a_dead_letter_queue_that_takes_over_after_five_deliveries() {
    let endpoint = Endpoint::start().await.unwrap();
    let client = endpoint.client();
    create_queues(&client).await.unwrap();
    // A second stack on the same endpoint finds them.
    create_queues(&client).await.unwrap();
    for name in QUEUES {
        let url = queue_url(&client, name).await;
        let attributes = client
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::RedrivePolicy)
            .attribute_names(QueueAttributeName::VisibilityTimeout)
            .send()
            .await
            .unwrap()
            .attributes
            .unwrap();
        let redrive: serde_json::Value =
            serde_json::from_str(&attributes[&QueueAttributeName::RedrivePolicy]).unwrap();
        assert_eq!(redrive["maxReceiveCount"], 5);
        let target = redrive["deadLetterTargetArn"].as_str().unwrap();
        assert!(target.ends_with(&format!("{name}-dlq")), "{target}");
        assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "30");
        queue_url(&client, &format!("{name}-dlq")).await;
    }
    endpoint.stop().await;
}

#[tokio::test]
async fn a_message_that_is_never_deleted_ends_in_the_dead_letter_queue() {
    let endpoint = Endpoint::start().await.unwrap();
    let client = endpoint.client();
    create_queues(&client).await.unwrap();
    let queue = queue_url(&client, "payment-events").await;
    client
        .send_message()
        .queue_url(&queue)
        .message_body("unreadable")
        .send()
        .await
        .unwrap();
    for delivery in 1..=5 {
        let receipt = receive(&client, &queue).await;
        let receipt = receipt.unwrap_or_else(|| panic!("delivery {delivery} is missing"));
        client
            .change_message_visibility()
            .queue_url(&queue)
            .receipt_handle(receipt)
            .visibility_timeout(0)
            .send()
            .await
            .unwrap();
    }
    assert!(receive(&client, &queue).await.is_none());
    let dead_letters = queue_url(&client, "payment-events-dlq").await;
    assert!(receive(&client, &dead_letters).await.is_some());
    endpoint.stop().await;
}

#[tokio::test]
async fn a_waiting_consumer_does_not_hold_up_the_stop() {
    let endpoint = Endpoint::start().await.unwrap();
    let client = endpoint.client();
    create_queues(&client).await.unwrap();
    let queue = queue_url(&client, "inventory-events").await;
    let waiting = client
        .receive_message()
        .queue_url(&queue)
        .wait_time_seconds(20)
        .send();
    let stopped = async {
        // The poll is under way when the endpoint says so.
        tokio::task::yield_now().await;
        endpoint.stop().await;
    };
    let both = async { tokio::join!(waiting, stopped) };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(15), both).await;
    assert!(ended.is_ok(), "the stop did not cut the long poll");
}

async fn queue_url(client: &aws_sdk_sqs::Client, name: &str) -> String {
    let found = client.get_queue_url().queue_name(name).send().await;
    found.unwrap().queue_url.unwrap()
}

async fn receive(client: &aws_sdk_sqs::Client, queue: &str) -> Option<String> {
    let received = client
        .receive_message()
        .queue_url(queue)
        .wait_time_seconds(1)
        .send()
        .await
        .unwrap();
    received.messages?.into_iter().next()?.receipt_handle
}
