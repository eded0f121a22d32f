//! A running inventory with pricing, a queue, a database and a tenant of its own.

use std::time::Duration;

use clap::Parser;
use contracts::{
    ids::{OrderId, Sku},
    inventory::{Availability, Line, Reservation, ReserveRequest},
    problem::{PROBLEM_JSON, Problem},
    tenant::TENANT_HEADER,
};
use redis::AsyncCommands;
use reqwest::{Method, StatusCode};
use shop::database::Database;
use sqlx::PgConnection;
use telemetry::{http_client, sqs::Queue};
use tokio::{sync::oneshot, task::JoinHandle};
use url::Url;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service that runs in this process until it is told to stop.
struct Running {
    stop: oneshot::Sender<()>,
    served: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn stop(self) {
        // Already stopped is as good.
        let _ = self.stop.send(());
        self.served.await.unwrap().unwrap();
    }
}

pub(crate) struct TestApp {
    pub(crate) url: Url,
    pub(crate) tenant: String,
    pub(crate) database: Database,
    pub(crate) queue: Queue,
    pub(crate) sqs: aws_sdk_sqs::Client,
    client: http_client::Client,
    redis: telemetry::redis::Redis,
    inventory: Running,
    pricing: Running,
    endpoint: shop::sqs::Endpoint,
}

/// An answer: the status, and a body of the expected kind.
pub(crate) type Answer<T> = Result<T, (StatusCode, Problem)>;

fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run `cargo shop test`"))
}

impl TestApp {
    pub(crate) async fn spawn() -> Self {
        Self::spawn_with(&[]).await
    }

    /// Spawns it with flags in place of the usual ones.
    pub(crate) async fn spawn_with(flags: &[&str]) -> Self {
        telemetry::testing::install();
        let database = Database::create(&server("SPANTREE_TEST_POSTGRES").parse().unwrap())
            .await
            .unwrap();
        let redis_url = server("SPANTREE_TEST_REDIS");
        let endpoint = shop::sqs::Endpoint::start().await.unwrap();
        shop::sqs::create_queues(&endpoint.client()).await.unwrap();

        let (pricing_port, pricing) = spawn_pricing(&database, &redis_url).await;
        let usual = [
            "--listen=127.0.0.1:0".to_owned(),
            format!("--database-url={}", database.url_of("inventory")),
            format!("--redis-url={redis_url}"),
            format!("--pricing-url=http://127.0.0.1:{pricing_port}"),
        ];
        let name = |flag: &str| flag.split('=').next().map(str::to_owned);
        let kept = usual
            .into_iter()
            .filter(|usual| !flags.iter().any(|flag| name(flag) == name(usual)));
        let arguments = std::iter::once("inventory".to_owned())
            .chain(kept)
            .chain(flags.iter().map(|flag| (*flag).to_owned()));
        let config = inventory::Config::try_parse_from(arguments).unwrap();
        let app = inventory::App::build_with(config, endpoint.client())
            .await
            .unwrap();
        let url = format!("http://127.0.0.1:{}", app.port().unwrap())
            .parse()
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = telemetry::spawn_detached(app.run_until(async { drop(stopped.await) }));

        let app = Self {
            url,
            tenant: format!("t{}", uuid::Uuid::new_v4().simple()),
            queue: Queue::resolve(endpoint.client(), "inventory-events")
                .await
                .unwrap(),
            sqs: endpoint.client(),
            client: http_client::internal(PATIENCE).unwrap(),
            redis: telemetry::redis::Redis::connect(&redis_url).unwrap(),
            inventory: Running { stop, served },
            pricing,
            endpoint,
            database,
        };
        let mut db = app.db().await;
        sqlx::query("INSERT INTO pricing.price_lists (tenant_id, currency) VALUES ($1, 'EUR')")
            .bind(&app.tenant)
            .execute(&mut db)
            .await
            .unwrap();
        app
    }

    /// A connection beside the service's own.
    pub(crate) async fn db(&self) -> PgConnection {
        self.database.connect().await.unwrap()
    }

    /// Runs one statement whose first parameter is the tenant.
    pub(crate) async fn sql(&self, statement: &'static str) {
        sqlx::query(statement)
            .bind(&self.tenant)
            .execute(&mut self.db().await)
            .await
            .unwrap();
    }

    /// The number that a statement selects whose first parameter is the tenant.
    pub(crate) async fn number(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement)
            .bind(&self.tenant)
            .fetch_one(&mut self.db().await)
            .await
            .unwrap()
    }

    /// An item that is counted just now and costs ten euros.
    pub(crate) async fn stock(&self, sku: &str, quantity: i64) {
        let mut db = self.db().await;
        for statement in [
            "INSERT INTO inventory.inventory (tenant_id, sku, counted_quantity) VALUES ($1, $2, $3)",
            "INSERT INTO pricing.prices (tenant_id, sku, unit_price_minor) VALUES ($1, $2, 1000 + 0 * $3)",
        ] {
            sqlx::query(statement)
                .bind(&self.tenant)
                .bind(sku)
                .bind(quantity)
                .execute(&mut db)
                .await
                .unwrap();
        }
    }

    /// Moves stock behind the service's back, as another inventory would: with a new version.
    pub(crate) async fn move_stock(&self, sku: &str, quantity: i64) {
        sqlx::query(
            "WITH moved AS (
                INSERT INTO inventory.stock_movements (tenant_id, sku, quantity, reason) VALUES ($1, $2, $3, 'count')
             )
             UPDATE inventory.inventory SET version = version + 1 WHERE tenant_id = $1 AND sku = $2",
        )
        .bind(&self.tenant)
        .bind(sku)
        .bind(quantity)
        .execute(&mut self.db().await)
        .await
        .unwrap();
    }

    pub(crate) async fn cached(&self, sku: &str) -> Option<String> {
        let mut redis = self.redis.for_tenant(&self.tenant);
        let key = redis.key(&format!("inventory:{sku}"));
        telemetry::untraced(redis.get(key)).await.unwrap()
    }

    pub(crate) async fn reserve(
        &self,
        order_id: OrderId,
        lines: &[(&str, u32)],
    ) -> Answer<Reservation> {
        let request = ReserveRequest {
            order_id,
            lines: to_lines(lines),
        };
        let body = serde_json::to_string(&request).unwrap();
        let (status, body) = self
            .send(
                Method::POST,
                "/reservations",
                Some(&self.tenant),
                Some(body),
            )
            .await;
        read(status, &body)
    }

    pub(crate) async fn release(&self, order_id: OrderId) -> Result<(), (StatusCode, Problem)> {
        let path = format!("/reservations/{order_id}");
        let (status, body) = self
            .send(Method::DELETE, &path, Some(&self.tenant), None)
            .await;
        match status {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err((status, serde_json::from_str(&body).unwrap())),
        }
    }

    pub(crate) async fn availability(&self, query: &str) -> Answer<Vec<Availability>> {
        let path = format!("/availability?{query}");
        let (status, body) = self
            .send(Method::GET, &path, Some(&self.tenant), None)
            .await;
        read(status, &body)
    }

    /// How many of an item can be reserved now.
    pub(crate) async fn available(&self, sku: &str) -> i64 {
        self.availability(&format!("sku={sku}")).await.unwrap()[0].available
    }

    /// Sends whatever it is, and checks what holds for every answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        tenant: Option<&str>,
        body: Option<String>,
    ) -> (StatusCode, String) {
        let mut request = self.client.request(method, self.url.join(path).unwrap());
        if let Some(tenant) = tenant {
            request = request.header(TENANT_HEADER, tenant);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let is_problem = response
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == PROBLEM_JSON);
        let is_silent = ["/health", "/ready"].contains(&path);
        assert!(
            status.is_success() || is_problem || is_silent,
            "{status} without a problem"
        );
        let body = response.text().await.unwrap();
        if is_problem {
            let problem: Problem = serde_json::from_str(&body).unwrap();
            assert_eq!(problem.status, status.as_u16());
            assert!(problem.trace_id.is_some(), "{body}");
        }
        (status, body)
    }

    /// Stops both services and drops their database.
    pub(crate) async fn stop(self) {
        self.inventory.stop().await;
        self.pricing.stop().await;
        self.endpoint.stop().await;
        self.database.drop_it().await.unwrap();
    }
}

async fn spawn_pricing(database: &Database, redis_url: &str) -> (u16, Running) {
    let config = pricing::Config::parse_from([
        "pricing",
        "--listen=127.0.0.1:0",
        &format!("--database-url={}", database.url_of("pricing")),
        &format!("--redis-url={redis_url}"),
    ]);
    let app = pricing::App::build(config).await.unwrap();
    let port = app.port().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = telemetry::spawn_detached(app.run_until(async { drop(stopped.await) }));
    (port, Running { stop, served })
}

pub(crate) fn to_lines(lines: &[(&str, u32)]) -> Vec<Line> {
    lines
        .iter()
        .map(|(sku, quantity)| Line {
            sku: to_sku(sku),
            quantity: *quantity,
        })
        .collect()
}

pub(crate) fn to_sku(sku: &str) -> Sku {
    sku.parse().unwrap()
}

fn read<T: serde::de::DeserializeOwned>(status: StatusCode, body: &str) -> Answer<T> {
    if status.is_success() {
        Ok(serde_json::from_str(body).unwrap())
    } else {
        Err((status, serde_json::from_str(body).unwrap()))
    }
}

/// Asks until the answer is yes.
#[track_caller]
pub(crate) fn eventually<F: Future<Output = bool>>(
    what: &str,
    mut holds: impl FnMut() -> F,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let asked = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, asked).await.is_ok(),
            "{what}: not within {PATIENCE:?} ({caller})"
        );
    }
}
