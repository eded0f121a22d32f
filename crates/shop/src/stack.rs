//! The whole shop, started: servers, queues, trace store, five services, seeded tenants.
//! Several stacks run side by side in one process without knowing of each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use url::Url;

pub use one_service::PartEnded;
pub use options::{Interrupted, Server, StackOptions, TEST_POSTGRES, TEST_REDIS};

use crate::database::Database;
use crate::postgres::Postgres;
use crate::process::{PartFailed, Process};
use crate::progress::Progress;
use crate::redis::{Lease, Redis};
use crate::run_folder::RunFolder;
use crate::seed::{TENANTS, Tenant};
use crate::services::{Service, Surroundings};
use crate::sqs::Endpoint;
use crate::state::{Addresses, RunningStack, RunningTenant};

mod launch;
mod one_service;
mod options;
mod start;
mod stop;

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

    pub(crate) fn run_folder(&self) -> &RunFolder {
        &self.folder
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until a part ends that nobody stopped, and says which.
    pub async fn failed(&self) -> PartFailed {
        next(&self.failures).await
    }

    /// The same for a stack that goes on without a service which somebody else stopped.
    pub async fn ended(&self) -> PartEnded {
        PartEnded::from(self.failed().await)
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
