//! A small trace store: OTLP in, Tempo's read API out, bounded memory between.
//!
//! It runs as a program of its own and inside other programs (the runner, tests);
//! several can run in one process, nothing here is global. tracebox does not trace itself.
//!
//! ```no_run
//! # async fn example() -> Result<(), tracebox::StartError> {
//! use tracebox::{Config, Tracebox};
//!
//! let tracebox = Tracebox::start(Config::on_free_ports()).await?;
//! println!("export to http://{}", tracebox.otlp_grpc_addr());
//! println!("read from http://{}", tracebox.query_addr());
//! tracebox.stop().await;
//! # Ok(())
//! # }
//! ```

mod by_id;
mod config;
mod duration;
mod ingest_grpc;
mod ingest_http;
mod json;
mod metrics;
mod model;
mod otlp_json;
mod query;
mod query_api;
mod search;
mod search_request;
mod server;
mod store;
mod tags;
mod traceql;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use config::Config;
pub use metrics::Figures;
pub use model::{InvalidTraceId, SpanId, TraceId};
pub use store::{Ingested, Limits, Store};

/// The entry: [`Tracebox::start`].
#[derive(Debug)]
pub struct Tracebox;

/// Why tracebox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be bound.
    #[error("cannot listen for {what} on {address}")]
    Bind {
        /// What the listener is for.
        what: &'static str,
        /// The configured address.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
}

/// A running tracebox. Dropping it ends it at once; [`stop`](Self::stop) ends it gracefully.
#[must_use = "tracebox ends when this is dropped"]
pub struct Running {
    otlp_grpc: SocketAddr,
    otlp_http: SocketAddr,
    query: SocketAddr,
    store: Arc<Store>,
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
}

impl Tracebox {
    /// Binds the three listeners and serves them until the answer is stopped or dropped.
    ///
    /// # Errors
    /// Says which address could not be bound.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let (grpc, otlp_grpc) = bind("OTLP over gRPC", config.otlp_grpc).await?;
        let (http, otlp_http) = bind("OTLP over HTTP", config.otlp_http).await?;
        let (query_listener, query) = bind("the query API", config.http).await?;

        let store = Arc::new(Store::new(Limits {
            max_memory: config.max_memory,
            max_spans_per_trace: config.max_spans_per_trace,
        }));
        let (stop, stopping) = watch::channel(false);
        let mut servers = JoinSet::new();
        for (listener, app) in [
            (grpc, ingest_grpc::router(&store, config.max_request)),
            (http, ingest_http::router(&store, config.max_request)),
            (query_listener, query_api::router(&store)),
        ] {
            let patience = server::Patience::default();
            servers.spawn(server::serve(listener, app, patience, stopping.clone()));
        }
        Ok(Running {
            otlp_grpc,
            otlp_http,
            query,
            store,
            stop,
            servers,
        })
    }
}

impl Running {
    /// Where OTLP over gRPC is taken.
    #[must_use]
    pub fn otlp_grpc_addr(&self) -> SocketAddr {
        self.otlp_grpc
    }

    /// Where OTLP over HTTP is taken.
    #[must_use]
    pub fn otlp_http_addr(&self) -> SocketAddr {
        self.otlp_http
    }

    /// Where the query API answers.
    #[must_use]
    pub fn query_addr(&self) -> SocketAddr {
        self.query
    }

    /// What is stored.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Accepts nothing new, finishes the requests in hand, and ends within a few seconds.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.servers.join_next().await.is_some() {}
    }
}

async fn bind(
    what: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind {
        what,
        address,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
