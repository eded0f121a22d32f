//! Why telemetry could not be set up.

/// Why [`init`](crate::init) refused to start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A variable holds a value that cannot be used.
    #[error("{variable}={value:?} cannot be used: it must be {allowed}")]
    Value {
        /// The environment variable.
        variable: &'static str,
        /// What it holds; secrets are not repeated.
        value: String,
        /// What it may hold.
        allowed: String,
    },
    /// `init` was called before in this process.
    #[error("telemetry is already initialised: call telemetry::init once, at the top of main")]
    AlreadyInitialised,
    /// Somebody else has installed a `tracing` subscriber.
    #[error(
        "another tracing subscriber is already installed: remove it, telemetry::init brings its own"
    )]
    Subscriber(#[source] tracing_subscriber::util::TryInitError),
    /// The exporters' thread could not be started.
    #[error("the exporters' runtime could not be started")]
    Runtime(#[source] std::io::Error),
    /// An exporter could not be built.
    #[error("the OTLP exporter for {signal} could not be built")]
    Exporter {
        /// `traces`, `metrics` or `logs`.
        signal: &'static str,
        /// What the exporter said.
        #[source]
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// The HTTP client of the exporters could not be built.
    #[error("the HTTP client of the OTLP exporters could not be built")]
    HttpClient(#[source] reqwest::Error),
}

impl InitError {
    pub(super) fn value(variable: &'static str, value: &str, allowed: &str) -> Self {
        Self::Value {
            variable,
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        }
    }
}
