//! Queues: an SQS endpoint inside this process, or any other that the AWS variables name.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustack_sqs_core::config::SqsConfig;
use rustack_sqs_core::handler::RustackSqsHandler;
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The queues of the shop. Each has a dead-letter queue, `<name>-dlq`.
pub const QUEUES: [&str; 2] = ["inventory-events", "payment-events"];
/// Deliveries before a message goes to the dead-letter queue.
const MAX_RECEIVE_COUNT: u32 = 5;
const VISIBILITY_SECONDS: u32 = 30;
const REGION: &str = "us-east-1";
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// Which endpoint a stack uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Queues {
    /// One inside this process, that forgets everything at the end.
    #[default]
    Embedded,
    /// The one that `AWS_ENDPOINT_URL_SQS` and the other AWS variables name.
    FromEnvironment,
}

impl Queues {
    /// Embedded unless the user named another endpoint.
    pub fn by_environment() -> Self {
        match std::env::var("AWS_ENDPOINT_URL_SQS") {
            Ok(url) if !url.is_empty() => Self::FromEnvironment,
            _ => Self::Embedded,
        }
    }
}

/// A running embedded endpoint.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    provider: Arc<RustackSqs>,
    stop: CancellationToken,
    serving: JoinSet<()>,
}

impl Endpoint {
    pub async fn start() -> anyhow::Result<Self> {
        // First the port, because queue URLs name it.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("no free loopback port for the SQS endpoint")?;
        let address = listener.local_addr()?;
        let provider = Arc::new(RustackSqs::new(SqsConfig {
            host: address.ip().to_string(),
            port: address.port(),
            default_region: REGION.to_owned(),
            ..SqsConfig::default()
        }));
        let handler = Arc::new(RustackSqsHandler::new(Arc::clone(&provider)));
        let service = SqsHttpService::new(handler, SqsHttpConfig::default());
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, service, stop.clone()));
        Ok(Self {
            address,
            provider,
            stop,
            serving,
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the AWS SDK of a child needs to find this endpoint and no other.
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL_SQS", self.url().as_str()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            // Never look for credentials on the network.
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
    }

    pub fn client(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(self.url())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new("local", "local", None, None, "local"))
            .build();
        aws_sdk_sqs::Client::from_conf(config)
    }

    /// Ends the queues, then the connections. A long poll that waits is cut.
    pub async fn stop(mut self) {
        self.provider.shutdown_all().await;
        self.stop.cancel();
        let drained = async { while self.serving.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(DRAIN_LIMIT, drained).await;
        self.serving.shutdown().await;
    }
}

async fn serve(
    listener: TcpListener,
    service: SqsHttpService<RustackSqsHandler>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of file handles: others have to close some first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let service = service.clone();
                let stop = stop.clone();
                connections.spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let connection = builder.serve_connection(TokioIo::new(stream), service);
                    tokio::pin!(connection);
                    tokio::select! {
                        _ = connection.as_mut() => return,
                        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
                    }
                    let _ = connection.await;
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = stop.cancelled() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The client for an endpoint that the user's AWS variables name.
pub async fn client_from_environment() -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
}

/// Creates the queues of the shop with their dead-letter queues. What exists already stays.
pub async fn create_queues(client: &aws_sdk_sqs::Client) -> anyhow::Result<()> {
    for name in QUEUES {
        let dead_letters = create_queue(client, &format!("{name}-dlq"), None).await?;
        let arn = client
            .get_queue_attributes()
            .queue_url(&dead_letters)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .map_err(|error| anyhow::anyhow!("{}", DisplayErrorContext(error)))
            .with_context(|| format!("cannot read the attributes of {name}-dlq"))?
            .attributes
            .and_then(|mut attributes| attributes.remove(&QueueAttributeName::QueueArn))
            .with_context(|| format!("{name}-dlq has no ARN"))?;
        // The count must be a number: some endpoints refuse the text that AWS accepts.
        let redrive = serde_json::json!({
            "deadLetterTargetArn": arn,
            "maxReceiveCount": MAX_RECEIVE_COUNT,
        });
        create_queue(client, name, Some(redrive.to_string())).await?;
    }
    Ok(())
}

async fn create_queue(
    client: &aws_sdk_sqs::Client,
    name: &str,
    redrive: Option<String>,
) -> anyhow::Result<String> {
    let created = client.create_queue().queue_name(name).attributes(
        QueueAttributeName::VisibilityTimeout,
        VISIBILITY_SECONDS.to_string(),
    );
    let created = match redrive {
        Some(redrive) => created.attributes(QueueAttributeName::RedrivePolicy, redrive),
        None => created,
    };
    let created = created.send().await;
    let error = match created {
        Ok(created) => return created.queue_url.context("the endpoint gave no queue URL"),
        Err(error) => error,
    };
    // A queue of an earlier run with other settings serves as well.
    if error
        .as_service_error()
        .is_some_and(|error| error.is_queue_name_exists())
    {
        let found = client.get_queue_url().queue_name(name).send().await;
        if let Ok(Some(url)) = found.map(|found| found.queue_url) {
            return Ok(url);
        }
    }
    Err(anyhow::anyhow!("{}", DisplayErrorContext(error))).with_context(|| {
        format!(
            "cannot create the queue {name}: is the endpoint that AWS_ENDPOINT_URL_SQS names up?"
        )
    })
}
