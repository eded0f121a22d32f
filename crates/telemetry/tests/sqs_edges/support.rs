//! An SQS endpoint inside this process, and what the tests do with it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::QueueAttributeName,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use telemetry::{
    Failure,
    sqs::{Consumer, Message, Queue},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// An endpoint that ends with the test's runtime.
pub(crate) struct Endpoint {
    pub(crate) client: Client,
}

impl Endpoint {
    pub(crate) async fn start() -> Self {
        // First the port, because queue URLs name it.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let provider = Arc::new(RustackSqs::new(SqsConfig {
            host: address.ip().to_string(),
            port: address.port(),
            ..SqsConfig::default()
        }));
        let handler = Arc::new(RustackSqsHandler::new(provider));
        let service = SqsHttpService::new(handler, SqsHttpConfig::default());
        telemetry::spawn_detached(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                telemetry::spawn_detached(async move {
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            client: client(&format!("http://{address}")),
        }
    }

    /// A queue, which sends what failed `max_receive_count` times to a queue of its own.
    pub(crate) async fn queue(&self, name: &str, max_receive_count: u32) -> (Queue, Queue) {
        let dead = format!("{name}-dlq");
        let dead_url = self.create(&dead, None).await;
        let arn = self
            .client
            .get_queue_attributes()
            .queue_url(&dead_url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .unwrap()
            .attributes
            .unwrap()
            .remove(&QueueAttributeName::QueueArn)
            .unwrap();
        let redrive =
            format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{max_receive_count}}}"#);
        let url = self.create(name, Some(redrive)).await;
        (
            Queue::new(self.client.clone(), name, &url),
            Queue::new(self.client.clone(), &dead, &dead_url),
        )
    }

    async fn create(&self, name: &str, redrive: Option<String>) -> String {
        let mut create = self.client.create_queue().queue_name(name);
        if let Some(redrive) = redrive {
            create = create.attributes(QueueAttributeName::RedrivePolicy, redrive);
        }
        create.send().await.unwrap().queue_url.unwrap()
    }
}

pub(crate) fn client(endpoint: &str) -> Client {
    Client::from_conf(
        aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "local"))
            .build(),
    )
}

/// A failure of a handler.
#[derive(Debug, thiserror::Error)]
#[error("the books are closed")]
pub(crate) struct BooksClosed;

impl Failure for BooksClosed {
    fn error_type(&self) -> &'static str {
        "books_closed"
    }

    fn stage(&self) -> &'static str {
        "post_movement"
    }
}

/// A consumer that comes back at once: failed messages are visible again immediately.
pub(crate) fn impatient(queue: &Queue) -> Consumer {
    Consumer::new(queue.clone())
        .wait(Duration::from_secs(1))
        .retry_delay(Duration::ZERO, Duration::ZERO)
}

/// What handlers saw, in order.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Message>>>);

impl Seen {
    pub(crate) fn push(&self, message: Message) {
        self.0.lock().unwrap().push(message);
    }

    pub(crate) fn all(&self) -> Vec<Message> {
        self.0.lock().unwrap().clone()
    }
}

/// Runs `consumer` with a handler until `done` holds, then stops it and waits for its end.
pub(crate) async fn consume_until<H, F>(
    consumer: Consumer,
    handler: H,
    done: impl AsyncFn() -> bool,
) where
    H: Fn(Message) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), BooksClosed>> + Send + 'static,
{
    let stop = CancellationToken::new();
    let running = consumer.run(stop.clone(), handler);
    let stopping = async {
        eventually("the consumer has done its work", done).await;
        stop.cancel();
    };
    tokio::join!(running, stopping);
}

/// Waits until `condition` holds; the test fails when it does not within twenty seconds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let poll = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), poll)
        .await
        .unwrap_or_else(|_| panic!("never happened: {what}"));
}

/// How many messages of a queue are visible, and how many are in flight.
pub(crate) async fn counts(client: &Client, queue: &Queue) -> (u32, u32) {
    let attributes = client
        .get_queue_attributes()
        .queue_url(queue.url())
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap()
        .attributes
        .unwrap_or_default();
    let count = |name| {
        attributes
            .get(&name)
            .map_or(0, |text: &String| text.parse().unwrap())
    };
    (
        count(QueueAttributeName::ApproximateNumberOfMessages),
        count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
    )
}
