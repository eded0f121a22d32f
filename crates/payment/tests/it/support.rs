//! A running payment service with a database, queues and a processor of its own.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use clap::Parser;
use contracts::{
    ids::OrderId,
    payment::{ChargeRequest, charge_response::Outcome, payment_client::PaymentClient},
};
use payment::{App, Config};
use serde_json::Value;
use shop::{database::Database, sqs::Endpoint};
use sqlx::PgConnection;
use telemetry::{grpc_client::Channel, http_client::Client, testing::Recorded};
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::Status;

/// Longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct TestApp {
    pub(crate) client: PaymentClient<Channel>,
    pub(crate) url: url::Url,
    pub(crate) tenant: String,
    pub(crate) database: Database,
    pub(crate) db: PgConnection,
    pub(crate) queues: Endpoint,
    pub(crate) sandbox: Sandbox,
    stop: oneshot::Sender<()>,
    served: JoinHandle<anyhow::Result<()>>,
}

/// What a test wants to be different.
pub(crate) struct Setup {
    pub(crate) charge_timeout: &'static str,
    pub(crate) hang: Duration,
    /// Another processor than the sandbox.
    pub(crate) processor: Option<SocketAddr>,
    /// Deliveries before a message goes to the dead-letter queue.
    pub(crate) max_receive_count: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            charge_timeout: "20s",
            hang: Duration::from_secs(30),
            processor: None,
            max_receive_count: 5,
        }
    }
}

impl TestApp {
    pub(crate) async fn spawn() -> Self {
        Self::spawn_with(Setup::default()).await
    }

    pub(crate) async fn spawn_with(setup: Setup) -> Self {
        telemetry::testing::install();
        let postgres = std::env::var("SPANTREE_TEST_POSTGRES")
            .expect("SPANTREE_TEST_POSTGRES is not set: run `cargo shop test`");
        let database = Database::create(&postgres.parse().unwrap()).await.unwrap();
        let queues = Endpoint::start().await.unwrap();
        create_queue(&queues.client(), setup.max_receive_count).await;
        let sandbox = Sandbox::start(setup.hang).await;
        let processor = setup.processor.unwrap_or(sandbox.address);
        let config = Config::parse_from([
            "payment",
            "--listen=127.0.0.1:0",
            &format!("--database-url={}", database.url_of("payment")),
            &format!("--processor-url=http://{processor}"),
            "--processor-key=sk_test_shop",
            &format!("--charge-timeout={}", setup.charge_timeout),
            "--fraud-timeout=10s",
            &format!("--queue={QUEUE}"),
        ]);
        let app = App::build_with(config, queues.client()).await.unwrap();
        let url: url::Url = format!("http://127.0.0.1:{}", app.port().unwrap())
            .parse()
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = telemetry::spawn_detached(app.run_until(async { drop(stopped.await) }));
        let channel = telemetry::grpc_client::channel(&url, PATIENCE).unwrap();
        Self {
            client: PaymentClient::new(channel),
            url,
            tenant: "acme".to_owned(),
            db: database.connect().await.unwrap(),
            database,
            queues,
            sandbox,
            stop,
            served,
        }
    }

    /// A charge of 19.99 EUR.
    pub(crate) fn request(&self, order: OrderId, token: &str) -> ChargeRequest {
        ChargeRequest {
            tenant_id: self.tenant.clone(),
            order_id: order.to_string(),
            amount_minor: 1999,
            currency: "EUR".to_owned(),
            card_token: token.to_owned(),
            plan: "team".to_owned(),
            region: "eu".to_owned(),
        }
    }

    pub(crate) async fn charge(&self, order: OrderId, token: &str) -> Result<Outcome, Status> {
        self.send(self.request(order, token)).await
    }

    pub(crate) async fn send(&self, request: ChargeRequest) -> Result<Outcome, Status> {
        let response = self.client.clone().charge(request).await?;
        Ok(response
            .into_inner()
            .outcome
            .expect("an answer has an outcome"))
    }

    /// State and amount of the payments of an order.
    pub(crate) async fn payments(&mut self, order: OrderId) -> Vec<(String, i64)> {
        sqlx::query_as("SELECT state, amount_minor FROM payment.payments WHERE tenant_id = $1 AND order_id = $2")
            .bind(&self.tenant)
            .bind(order.as_uuid())
            .fetch_all(&mut self.db)
            .await
            .unwrap()
    }

    /// Stops everything and drops the database.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
        self.queues.stop().await;
        self.database.drop_it().await.unwrap();
    }
}

/// The queue of a test; its endpoint has no other user.
pub(crate) const QUEUE: &str = "payment-events";

async fn create_queue(sqs: &aws_sdk_sqs::Client, max_receive_count: u32) {
    use aws_sdk_sqs::types::QueueAttributeName::{QueueArn, RedrivePolicy};

    let dead_letters = sqs
        .create_queue()
        .queue_name(format!("{QUEUE}-dlq"))
        .send()
        .await
        .unwrap();
    let attributes = sqs
        .get_queue_attributes()
        .queue_url(dead_letters.queue_url().unwrap())
        .attribute_names(QueueArn)
        .send()
        .await
        .unwrap();
    let redrive = serde_json::json!({
        "deadLetterTargetArn": attributes.attributes().unwrap()[&QueueArn],
        "maxReceiveCount": max_receive_count,
    });
    sqs.create_queue()
        .queue_name(QUEUE)
        .attributes(RedrivePolicy, redrive.to_string())
        .send()
        .await
        .unwrap();
}

/// The processor's sandbox, in this process.
pub(crate) struct Sandbox {
    pub(crate) address: SocketAddr,
    client: Client,
}

impl Sandbox {
    async fn start(hang: Duration) -> Self {
        let config = processor_sandbox::Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            latency: Duration::from_millis(20),
            risk_latency: Duration::ZERO,
            hang,
        };
        let app = processor_sandbox::App::build(config).await.unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], app.port().unwrap()));
        // Ends with the test's runtime.
        telemetry::spawn_detached(app.run_until(std::future::pending()));
        let client = telemetry::http_client::third_party(PATIENCE).unwrap();
        Self { address, client }
    }

    pub(crate) async fn put_faults(&self, faults: Value) {
        let url = format!("http://{}/sandbox/faults", self.address);
        let answer = self.client.put(url).json(&faults).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// What the processor charged for an order.
    pub(crate) async fn charges(&self, order: OrderId) -> Vec<Value> {
        let url = format!("http://{}/sandbox/charges?order_id={order}", self.address);
        let list: Value = self
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        list["data"].as_array().unwrap().clone()
    }
}

/// The tree without the waits for a connection, which come and go.
pub(crate) fn tree<T>(recorded: &Recorded<T>) -> String {
    recorded
        .shape()
        .lines()
        .filter(|line| !line.contains("pool.acquire"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Asks again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
