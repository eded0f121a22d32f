//! The whole shop, started: servers, queues, trace store, five services, seeded tenants.
//! Several stacks run side by side in one process without knowing of each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use tokio::sync::mpsc;
use url::Url;

pub use options::{Interrupted, Server, StackOptions, TEST_POSTGRES, TEST_REDIS};

use crate::database::Database;
use crate::postgres::Postgres;
use crate::process::{PartFailed, Process, Stopped};
use crate::progress::Progress;
use crate::redis::{Lease, Redis};
use crate::run_folder::RunFolder;
use crate::seed::{TENANTS, Tenant};
use crate::services::{Service, Surroundings};
use crate::sqs::Endpoint;
use crate::state::{Addresses, RunningStack, RunningTenant};

mod launch;
mod options;
mod start;

/// A running stack. Stop it with [`Stack::stop`]; one that is dropped is cleared by its
/// watchdog, a moment later.
#[derive(Debug)]
pub struct Stack {
    options: StackOptions,
    folder: Arc<RunFolder>,
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    lease: Option<Lease>,
    database: Option<Database>,
    endpoint: Option<Endpoint>,
    tracebox: Option<TraceStore>,
    surroundings: Option<Surroundings>,
    /// Kept when a service stops, so that it starts again where the others look for it.
    addresses: BTreeMap<Service, SocketAddr>,
    services: Mutex<BTreeMap<Service, Arc<Process>>>,
    probe: reqwest::Client,
    failure_sender: mpsc::UnboundedSender<PartFailed>,
    failures: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<PartFailed>>>,
}

impl Stack {
    /// Starts everything and returns when every service is ready and the tenants are there.
    /// What was started is stopped again if something fails or the caller cancels.
    pub async fn start(options: StackOptions) -> anyhow::Result<Self> {
        let cancelled = options.cancel.clone();
        let mut stack = Self::empty(options)?;
        let failures = Arc::clone(&stack.failures);
        let started = tokio::select! {
            // A server that died is the reason to tell, not the connection that a service
            // lost because of it.
            biased;
            () = cancelled.cancelled() => Err(Interrupted.into()),
            failure = next(&failures) => Err(failure.into()),
            started = stack.bring_up() => started,
        };
        match started {
            Ok(()) => Ok(stack),
            Err(error) => {
                if let Err(second) = stack.stop().await {
                    return Err(error.context(format!("and then: {second:#}")));
                }
                Err(error)
            }
        }
    }

    pub fn orders_url(&self) -> Url {
        self.url_of(Service::Orders)
    }

    pub fn inventory_url(&self) -> Url {
        self.url_of(Service::Inventory)
    }

    /// The card processor, with its switches for latency and failure.
    pub fn processor_url(&self) -> Url {
        self.url_of(Service::ProcessorSandbox)
    }

    /// Where a service listens, also while it is stopped.
    pub fn url_of(&self, service: Service) -> Url {
        http(self.addresses[&service])
    }

    /// The embedded trace store's read API, in Tempo's shapes.
    pub fn tempo_url(&self) -> Url {
        http(self.trace_store().0.query_addr())
    }

    /// The embedded trace store's OTLP over gRPC, also when services export elsewhere.
    pub fn otlp_url(&self) -> Url {
        http(self.trace_store().0.otlp_grpc_addr())
    }

    /// The key of a seeded tenant.
    ///
    /// # Panics
    /// If there is no such tenant.
    pub fn api_key(&self, tenant: &str) -> String {
        Tenant::find(tenant)
            .unwrap_or_else(|| panic!("no tenant `{tenant}` is seeded"))
            .api_key()
    }

    /// The process number of a service that runs.
    pub fn pid(&self, service: Service) -> Option<u32> {
        self.services().get(&service).map(|process| process.pid())
    }

    /// The database as a service sees it.
    pub fn database_url(&self, service: Service) -> Option<Url> {
        Some(self.database.as_ref()?.url_of(service.schema()?))
    }

    /// The database with all schemas.
    pub fn whole_database_url(&self) -> Url {
        self.database
            .as_ref()
            .expect("a started stack has a database")
            .url()
    }

    pub fn redis_url(&self) -> Url {
        self.surroundings().redis_url.clone()
    }

    /// Talks to the queues of this stack.
    pub async fn sqs_client(&self) -> aws_sdk_sqs::Client {
        match &self.endpoint {
            Some(endpoint) => endpoint.client(),
            None => crate::sqs::client_from_environment().await,
        }
    }

    /// The log of a service, over all its starts.
    pub fn log_path(&self, service: Service) -> PathBuf {
        self.folder.log_path(service.name())
    }

    /// The log of a service so far.
    pub fn log(&self, service: Service) -> String {
        std::fs::read_to_string(self.log_path(service)).unwrap_or_default()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Asks a service to stop and waits for its end.
    pub async fn stop_service(&self, service: Service) -> anyhow::Result<Stopped> {
        let process = self.take(service)?;
        Ok(process.stop(launch::STOP_LIMIT).await)
    }

    /// Kills a service without asking.
    pub async fn kill_service(&self, service: Service) -> anyhow::Result<()> {
        self.take(service)?.kill().await;
        Ok(())
    }

    /// Sends a signal to a service and does not wait. Its end is no failure from now on.
    pub fn signal_service(&self, service: Service, signal: Signal) -> anyhow::Result<()> {
        match self.services().get(&service) {
            Some(process) => process.signal(signal),
            None => bail!("{service} does not run"),
        }
        Ok(())
    }

    /// Starts a service that was stopped, where it listened before.
    pub async fn start_service(&self, service: Service) -> anyhow::Result<()> {
        self.start_service_with(service, &[]).await
    }

    /// The same with more variables, for this start only.
    pub async fn start_service_with(
        &self,
        service: Service,
        env: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        if let Some(process) = self.services().get(&service)
            && !process.has_ended()
        {
            bail!("{service} runs already, as process {}", process.pid());
        }
        let process = self.relaunch(service, env).await?;
        self.services().insert(service, Arc::new(process));
        Ok(())
    }

    /// Waits until a part ends that nobody stopped, and says which.
    pub async fn failed(&self) -> PartFailed {
        next(&self.failures).await
    }

    /// What other programs must know to use this stack.
    pub fn describe(&self) -> RunningStack {
        RunningStack::new(Addresses {
            orders_url: text(&self.orders_url()),
            inventory_url: text(&self.inventory_url()),
            processor_url: text(&self.processor_url()),
            tempo_url: text(&self.tempo_url()),
            otlp_url: text(&self.otlp_url()),
            database_url: self.whole_database_url().to_string(),
            redis_url: self.redis_url().to_string(),
            tenants: TENANTS
                .iter()
                .map(|tenant| RunningTenant {
                    tenant_id: tenant.id.to_owned(),
                    api_key: tenant.api_key(),
                    large: tenant.large,
                })
                .collect(),
        })
    }

    /// Stops everything, the callers before the called, and removes what it made.
    ///
    /// # Errors
    /// If something could not be removed; the rest is gone nevertheless.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let mut problems = Vec::new();
        for service in Service::ALL.into_iter().rev() {
            let process = self.services().remove(&service);
            if let Some(process) = process {
                process.stop(launch::STOP_LIMIT).await;
            }
        }
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.stop().await;
        }
        if let Some(tracebox) = self.tracebox.take() {
            tracebox.0.stop().await;
        }
        // A private server takes its databases with it.
        if self.postgres.is_none()
            && let Some(database) = self.database.take()
            && let Err(error) = database.drop_it().await
        {
            problems.push(format!("{error:#}"));
        }
        if let Some(lease) = self.lease.take()
            && let Err(error) = lease.give_back().await
        {
            problems.push(format!("{error:#}"));
        }
        if let Some(redis) = self.redis.take() {
            redis.stop().await;
        }
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await;
        }
        if let Err(error) = self.folder.close().await {
            problems.push(format!("{error:#}"));
        }
        if problems.is_empty() {
            return Ok(());
        }
        bail!("{}", problems.join("; "))
    }

    fn take(&self, service: Service) -> anyhow::Result<Arc<Process>> {
        self.services()
            .remove(&service)
            .with_context(|| format!("{service} does not run"))
    }

    fn services(&self) -> MutexGuard<'_, BTreeMap<Service, Arc<Process>>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trace_store(&self) -> &TraceStore {
        self.tracebox
            .as_ref()
            .expect("a started stack has a trace store")
    }

    fn surroundings(&self) -> &Surroundings {
        self.surroundings
            .as_ref()
            .expect("a started stack has told its services where they are")
    }

    fn progress(&self) -> Arc<dyn Progress> {
        Arc::clone(&self.options.progress)
    }
}

async fn next(failures: &tokio::sync::Mutex<mpsc::UnboundedReceiver<PartFailed>>) -> PartFailed {
    match failures.lock().await.recv().await {
        Some(failure) => failure,
        // The stack holds a sender itself, so the channel does not close.
        None => std::future::pending().await,
    }
}

/// The trace store, which has nothing to show of itself.
struct TraceStore(tracebox::Running);

impl std::fmt::Debug for TraceStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TraceStore")
            .field(&self.0.query_addr())
            .finish()
    }
}

fn http(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}")).expect("a socket address makes a valid URL")
}

/// Without the slash at the end, so that a path can be put behind it.
fn text(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
