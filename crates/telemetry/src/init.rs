//! One call at the top of `main`.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::{global, trace::TracerProvider as _};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    Guard, InitError,
    config::{Config, Source},
    layers::{self, LogFilter},
    pipeline::Pipeline,
    propagation, query_text, resource,
};

/// The name and version a service has in its telemetry. [`service!`](crate::service!)
/// takes both from the calling crate's `Cargo.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// `service.name`, unless `OTEL_SERVICE_NAME` says otherwise.
    pub name: &'static str,
    /// `service.version`.
    pub version: &'static str,
}

/// The calling crate as a [`Service`].
///
/// ```no_run
/// # fn main() -> Result<(), telemetry::InitError> {
/// let telemetry = telemetry::init(telemetry::service!())?;
/// # drop(telemetry);
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! service {
    () => {
        $crate::Service {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        }
    };
}

/// Sets up traces, metrics and logs for this process, as the `OTEL_*` variables and
/// `RUST_LOG` say.
///
/// Hold the guard and call [`Guard::shutdown`] at the very end:
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> { Ok(()) }
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let telemetry = telemetry::init(telemetry::service!())?;
///     let served = serve().await;
///     telemetry.shutdown().await;
///     served
/// }
/// ```
///
/// A collector that is slow, down or wrong never makes this fail or wait. A process that
/// never calls it, such as a unit test, makes no telemetry and no noise.
///
/// # Errors
///
/// If a variable has a value that cannot be used, or if it is called twice.
pub fn init(service: Service) -> Result<Guard, InitError> {
    init_from(service, &|variable: &str| std::env::var(variable).ok())
}

fn init_from(service: Service, source: &impl Source) -> Result<Guard, InitError> {
    let config = Config::read(source)?;
    claim_process()?;
    let resource = resource::detect(service, &config, source);
    query_text::enable_query_text(resource::is_development(&resource));
    propagation::install();

    let filter = LogFilter::parse(&config.log_directives)
        .expect("the directives were parsed when the configuration was read");
    let subscriber = tracing_subscriber::registry().with(filter);
    if config.disabled {
        subscriber
            .with(layers::lines())
            .try_init()
            .map_err(InitError::Subscriber)?;
        return Ok(Guard::new(None));
    }
    let pipeline = Pipeline::start(&config, &resource)?;
    global::set_tracer_provider(pipeline.tracers.clone());
    subscriber
        .with(layers::spans(pipeline.tracers.tracer("telemetry")))
        .with(layers::logs(&pipeline.loggers))
        .with(layers::lines())
        .try_init()
        .map_err(InitError::Subscriber)?;
    Ok(Guard::new(Some(pipeline)))
}

/// Global providers cannot be replaced sensibly, so the second call is a mistake.
fn claim_process() -> Result<(), InitError> {
    static CLAIMED: AtomicBool = AtomicBool::new(false);
    if CLAIMED.swap(true, Ordering::SeqCst) {
        return Err(InitError::AlreadyInitialised);
    }
    Ok(())
}

/// Waits until the process is asked to stop: SIGTERM from an orchestrator, SIGINT from
/// a keyboard.
///
/// # Panics
///
/// If the handlers cannot be installed, which the kernel refuses for no signal of these.
pub async fn shutdown_signal() {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
