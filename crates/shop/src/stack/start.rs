//! The order of a start: servers, database, queues, trace store, services, tenants.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;
use tokio::sync::mpsc;

use super::options::Server;
use super::{Stack, StackOptions, TraceStore, http};
use crate::database::Database;
use crate::ports::loopback;
use crate::postgres::{self, Postgres};
use crate::redis::{self, Lease, Redis};
use crate::run_folder::RunFolder;
use crate::services::{Service, Surroundings};
use crate::sqs::{self, Endpoint, Queues};
use crate::{seed, workspace};

/// Services of one row need only those of the rows before it.
const ROWS: [&[Service]; 3] = [
    &[Service::ProcessorSandbox, Service::Pricing],
    &[Service::Inventory, Service::Payment],
    &[Service::Orders],
];
/// Tempo's port, and OTLP's two.
const QUERY_PORT: u16 = 3200;
const OTLP_GRPC_PORT: u16 = 4317;
const OTLP_HTTP_PORT: u16 = 4318;

impl Stack {
    pub(super) fn empty(options: StackOptions) -> anyhow::Result<Self> {
        let (failure_sender, failures) = mpsc::unbounded_channel();
        let folder = Arc::new(RunFolder::create(options.logs.as_deref())?);
        Ok(Self {
            options,
            folder,
            postgres: None,
            redis: None,
            lease: None,
            database: None,
            endpoint: None,
            tracebox: None,
            surroundings: None,
            addresses: [].into(),
            services: Mutex::default(),
            probe: probe()?,
            failure_sender,
            failures: Arc::new(tokio::sync::Mutex::new(failures)),
        })
    }

    pub(super) async fn bring_up(&mut self) -> anyhow::Result<()> {
        // Before anything runs: a missing binary is the likeliest thing to be missing.
        for service in Service::ALL {
            workspace::binary(service.name())?;
        }
        let progress = self.progress();
        let step = |text| Step::begin(&*progress, text);

        let doing = step("starting Postgres, Redis, queues and the trace store");
        self.start_servers().await?;
        doing.done(&self.servers_in_words());

        let doing = step("starting the services");
        for row in ROWS {
            self.start_row(row).await?;
        }
        doing.done("services are ready: processor-sandbox, pricing, inventory, payment, orders");

        let doing = step("storing tenants, prices and stock");
        let database = self.database.as_ref().context("there is no database")?;
        seed::seed(database, self.options.seed).await?;
        doing.done(&format!(
            "tenants are there: {} small and {} large ones",
            seed::TENANTS.iter().filter(|tenant| !tenant.large).count(),
            seed::TENANTS.iter().filter(|tenant| tenant.large).count(),
        ));
        Ok(())
    }

    /// Side by side, because Postgres takes a second or two to make its data folder.
    async fn start_servers(&mut self) -> anyhow::Result<()> {
        let folder = &self.folder;
        let own_postgres = async {
            match &self.options.postgres {
                Server::Private => Postgres::start(&postgres::find()?, folder).await.map(Some),
                Server::Shared(_) => Ok(None),
            }
        };
        let own_redis = async {
            match &self.options.redis {
                Server::Private => Redis::start(&redis::find()?, folder).await.map(Some),
                Server::Shared(_) => Ok(None),
            }
        };
        let own_endpoint = async {
            match self.options.queues {
                Queues::Embedded => Endpoint::start().await.map(Some),
                Queues::FromEnvironment => Ok(None),
            }
        };
        let (postgres, redis, endpoint) = tokio::join!(own_postgres, own_redis, own_endpoint);
        // All are kept before any error is told, so that what did start is stopped.
        let postgres = postgres.map(|postgres| self.postgres = postgres);
        let redis = redis.map(|redis| self.redis = redis);
        let endpoint = endpoint.map(|endpoint| self.endpoint = endpoint);
        postgres.and(redis).and(endpoint)?;
        if let Some(postgres) = &mut self.postgres {
            postgres.report_to(self.failure_sender.clone());
        }
        if let Some(redis) = &mut self.redis {
            redis.report_to(self.failure_sender.clone());
        }

        sqs::create_queues(&self.sqs_client().await).await?;
        let ports = self.options.ports;
        let tracebox = tracebox::Tracebox::start(tracebox::Config {
            http: loopback(ports.choose(QUERY_PORT)),
            otlp_grpc: loopback(ports.choose(OTLP_GRPC_PORT)),
            otlp_http: loopback(ports.choose(OTLP_HTTP_PORT)),
            ..tracebox::Config::on_free_ports()
        })
        .await
        .context("the trace store did not start")?;
        self.tracebox = Some(TraceStore(tracebox));

        let server = match (&self.postgres, &self.options.postgres) {
            (Some(postgres), _) => postgres.url("postgres"),
            (None, Server::Shared(url)) => url.clone(),
            (None, Server::Private) => unreachable!("a private server was started above"),
        };
        let database = Database::create(&server).await?;
        self.database = Some(database.clone());
        let redis_url = match (&self.redis, &self.options.redis) {
            (Some(redis), _) => redis.url().clone(),
            (None, Server::Shared(url)) => self.lease.insert(Lease::take(url).await?).url(),
            (None, Server::Private) => unreachable!("a private server was started above"),
        };
        let collector = self.options.collector.clone();
        self.surroundings = Some(Surroundings {
            database_urls: Service::ALL
                .into_iter()
                .filter_map(|service| Some((service, database.url_of(service.schema()?))))
                .collect(),
            redis_url,
            queues: self
                .endpoint
                .as_ref()
                .map(Endpoint::env)
                .unwrap_or_default(),
            collector: collector
                .unwrap_or_else(|| http(self.trace_store().0.otlp_grpc_addr()).to_string()),
            pseudonym_key: uuid::Uuid::new_v4().simple().to_string(),
        });
        Ok(())
    }

    async fn start_row(&mut self, row: &[Service]) -> anyhow::Result<()> {
        let ports = self.options.ports;
        // The first failure ends the row; whatever else it started ends with the run folder.
        let launched = try_join_all(
            row.iter()
                .map(|service| self.launch(*service, ports.choose(service.port()), &[])),
        )
        .await?;
        for (service, (mut process, address)) in row.iter().zip(launched) {
            process.report_to(self.failure_sender.clone());
            self.addresses.insert(*service, address);
            self.services().insert(*service, Arc::new(process));
        }
        Ok(())
    }

    fn servers_in_words(&self) -> String {
        let postgres = match &self.postgres {
            Some(_) => "private Postgres",
            None => "given Postgres",
        };
        let redis = match &self.redis {
            Some(_) => "private Redis",
            None => "given Redis",
        };
        let queues = match &self.endpoint {
            Some(_) => "embedded SQS",
            None => "given SQS",
        };
        format!("servers are up: {postgres}, {redis}, {queues}, tracebox")
    }
}

/// A step whose time is measured.
struct Step<'a> {
    progress: &'a dyn crate::progress::Progress,
    began: Instant,
}

impl<'a> Step<'a> {
    fn begin(progress: &'a dyn crate::progress::Progress, text: &str) -> Self {
        progress.begin(text);
        Self {
            progress,
            began: Instant::now(),
        }
    }

    fn done(self, result: &str) {
        self.progress.done(result, self.began.elapsed());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "asks services whether they are ready, which belongs to no trace"
)]
fn probe() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .context("cannot make an HTTP client")
}
