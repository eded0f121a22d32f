//! A running pricing service with a database and a tenant of its own.

use clap::Parser;
use contracts::pricing::{CartLine, Quote, QuoteCartRequest, pricing_client::PricingClient};
use pricing::{App, Config};
use shop::database::Database;
use sqlx::PgConnection;
use telemetry::grpc_client::Channel;
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::Status;

pub(crate) struct TestApp {
    pub(crate) client: PricingClient<Channel>,
    pub(crate) url: url::Url,
    pub(crate) tenant: String,
    pub(crate) database: Database,
    db: PgConnection,
    stop: oneshot::Sender<()>,
    served: JoinHandle<anyhow::Result<()>>,
}

fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run `cargo shop test`"))
}

impl TestApp {
    pub(crate) async fn spawn() -> Self {
        telemetry::testing::install();
        let postgres = server("SPANTREE_TEST_POSTGRES").parse().unwrap();
        let database = Database::create(&postgres).await.unwrap();
        let config = Config::parse_from([
            "pricing",
            "--listen=127.0.0.1:0",
            &format!("--database-url={}", database.url_of("pricing")),
            &format!("--redis-url={}", server("SPANTREE_TEST_REDIS")),
        ]);
        let app = App::build(config).await.unwrap();
        let url: url::Url = format!("http://127.0.0.1:{}", app.port().unwrap())
            .parse()
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = telemetry::spawn_detached(app.run_until(async { drop(stopped.await) }));
        let channel =
            telemetry::grpc_client::channel(&url, std::time::Duration::from_secs(10)).unwrap();
        let mut app = Self {
            client: PricingClient::new(channel),
            url,
            tenant: format!("t{}", uuid::Uuid::new_v4().simple()),
            db: database.connect().await.unwrap(),
            database,
            stop,
            served,
        };
        let tenant = app.tenant.clone();
        sqlx::query("INSERT INTO pricing.price_lists (tenant_id, currency) VALUES ($1, 'EUR')")
            .bind(&tenant)
            .execute(&mut app.db)
            .await
            .unwrap();
        app
    }

    pub(crate) async fn set_price(&mut self, sku: &str, minor: i64) {
        sqlx::query(
            "INSERT INTO pricing.prices (tenant_id, sku, unit_price_minor) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, sku) DO UPDATE SET unit_price_minor = excluded.unit_price_minor",
        )
        .bind(&self.tenant)
        .bind(sku)
        .bind(minor)
        .execute(&mut self.db)
        .await
        .unwrap();
    }

    pub(crate) async fn add_rule(
        &mut self,
        sku: Option<&str>,
        min_quantity: i64,
        basis_points: i32,
    ) {
        sqlx::query(
            "INSERT INTO pricing.price_rules (tenant_id, priority, sku, min_quantity, basis_points)
             VALUES ($1, 1, $2, $3, $4)",
        )
        .bind(&self.tenant)
        .bind(sku)
        .bind(min_quantity)
        .bind(basis_points)
        .execute(&mut self.db)
        .await
        .unwrap();
    }

    pub(crate) async fn quote(&self, lines: &[(&str, u32)]) -> Result<Quote, Status> {
        self.quote_for(&self.tenant, lines).await
    }

    pub(crate) async fn quote_for(
        &self,
        tenant: &str,
        lines: &[(&str, u32)],
    ) -> Result<Quote, Status> {
        let lines = lines
            .iter()
            .map(|(sku, quantity)| CartLine {
                sku: (*sku).to_owned(),
                quantity: *quantity,
            })
            .collect();
        let request = QuoteCartRequest {
            tenant_id: tenant.to_owned(),
            lines,
        };
        Ok(self.client.clone().quote_cart(request).await?.into_inner())
    }

    /// Stops the service and drops its database.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
        self.database.drop_it().await.unwrap();
    }
}
