//! The standard `OTEL_*` variables, read once at start. A value that cannot be used is
//! an error that names the variable, the value and what is allowed.

use std::time::Duration;

pub use error::InitError;
use exporter::read_exporter;
pub(crate) use exporter::{Exporter, Protocol, Signal};
pub(crate) use source::Source;

mod error;
mod exporter;
mod source;

/// Everything `init` needs to know.
#[derive(Debug)]
pub(crate) struct Config {
    /// `OTEL_SDK_DISABLED`: nothing is exported; logs still go to stderr.
    pub(crate) disabled: bool,
    /// `OTEL_SERVICE_NAME`.
    pub(crate) service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub(crate) resource_attributes: Vec<(String, String)>,
    /// Where spans go; `None` is nowhere.
    pub(crate) traces: Option<Exporter>,
    /// Where metrics go; `None` is nowhere.
    pub(crate) metrics: Option<Exporter>,
    /// Where log records go; `None` is nowhere.
    pub(crate) logs: Option<Exporter>,
    /// `OTEL_TRACES_SAMPLER` and its argument.
    pub(crate) sampler: RootSampler,
    /// `OTEL_BSP_*`: the queue of ended spans.
    pub(crate) span_batch: Batch,
    /// `OTEL_BLRP_*`: the queue of log records.
    pub(crate) log_batch: Batch,
    /// `OTEL_METRIC_EXPORT_INTERVAL`.
    pub(crate) metric_interval: Duration,
    /// `RUST_LOG`.
    pub(crate) log_directives: String,
}

/// What happens to a trace that starts here. A caller's decision is always respected,
/// so that no trace is kept in parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RootSampler {
    /// Keep every trace.
    AlwaysOn,
    /// Keep none.
    AlwaysOff,
    /// Keep this share, chosen by trace id.
    Ratio(f64),
}

/// The bounds of one export queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Batch {
    /// What is more than this is dropped and counted.
    pub(crate) max_queue_size: usize,
    /// How much goes out in one request.
    pub(crate) max_export_batch_size: usize,
    /// How long an incomplete batch waits.
    pub(crate) schedule_delay: Duration,
}

impl Config {
    /// Reads all variables from `source`.
    pub(crate) fn read(source: &impl Source) -> Result<Self, InitError> {
        let (sampler, span_batch, log_batch) = (
            read_sampler(source)?,
            read_batch(source, &SPAN_BATCH, Duration::from_secs(5))?,
            read_batch(source, &LOG_BATCH, Duration::from_secs(1))?,
        );
        let mut traces = read_exporter(source, Signal::Traces)?;
        // The batch thread has no timeout of its own; the request's is the same bound.
        let batch_timeout = source.millis("OTEL_BSP_EXPORT_TIMEOUT")?;
        if let (Some(exporter), Some(limit)) = (&mut traces, batch_timeout) {
            exporter.timeout = exporter.timeout.min(limit);
        }
        Ok(Self {
            disabled: source.boolean("OTEL_SDK_DISABLED")?.unwrap_or(false),
            service_name: source.text("OTEL_SERVICE_NAME"),
            resource_attributes: source.pairs("OTEL_RESOURCE_ATTRIBUTES")?,
            traces,
            metrics: read_exporter(source, Signal::Metrics)?,
            logs: read_exporter(source, Signal::Logs)?,
            sampler,
            span_batch,
            log_batch,
            metric_interval: source
                .millis("OTEL_METRIC_EXPORT_INTERVAL")?
                .unwrap_or(Duration::from_secs(60)),
            log_directives: read_log_directives(source)?,
        })
    }
}

const SAMPLERS: &str = "always_on, always_off, traceidratio, parentbased_always_on, \
     parentbased_always_off or parentbased_traceidratio";

/// The names without `parentbased_` mean the same as those with it: ignoring the
/// caller's decision would store traces with holes, which nobody wants and the
/// variable's users rarely know.
fn read_sampler(source: &impl Source) -> Result<RootSampler, InitError> {
    const VARIABLE: &str = "OTEL_TRACES_SAMPLER";
    let Some(name) = source.text(VARIABLE) else {
        return Ok(RootSampler::AlwaysOn);
    };
    match name.strip_prefix("parentbased_").unwrap_or(&name) {
        "always_on" => Ok(RootSampler::AlwaysOn),
        "always_off" => Ok(RootSampler::AlwaysOff),
        "traceidratio" => read_ratio(source),
        _ => Err(InitError::value(VARIABLE, &name, SAMPLERS)),
    }
}

fn read_ratio(source: &impl Source) -> Result<RootSampler, InitError> {
    const VARIABLE: &str = "OTEL_TRACES_SAMPLER_ARG";
    let Some(text) = source.text(VARIABLE) else {
        return Ok(RootSampler::Ratio(1.0));
    };
    match text.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(RootSampler::Ratio(ratio)),
        _ => Err(InitError::value(
            VARIABLE,
            &text,
            "a number from 0.0 to 1.0",
        )),
    }
}

/// The variables of one queue.
struct BatchVariables {
    queue: &'static str,
    batch: &'static str,
    delay: &'static str,
}

const SPAN_BATCH: BatchVariables = BatchVariables {
    queue: "OTEL_BSP_MAX_QUEUE_SIZE",
    batch: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    delay: "OTEL_BSP_SCHEDULE_DELAY",
};

const LOG_BATCH: BatchVariables = BatchVariables {
    queue: "OTEL_BLRP_MAX_QUEUE_SIZE",
    batch: "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    delay: "OTEL_BLRP_SCHEDULE_DELAY",
};

fn read_batch(
    source: &impl Source,
    variables: &BatchVariables,
    default_delay: Duration,
) -> Result<Batch, InitError> {
    let max_queue_size = source.count(variables.queue)?.unwrap_or(2048);
    let max_export_batch_size = source
        .count(variables.batch)?
        .unwrap_or(512.min(max_queue_size));
    if max_export_batch_size > max_queue_size {
        return Err(InitError::value(
            variables.batch,
            &max_export_batch_size.to_string(),
            &format!(
                "at most the size of the queue, {} = {max_queue_size}",
                variables.queue
            ),
        ));
    }
    Ok(Batch {
        max_queue_size,
        max_export_batch_size,
        schedule_delay: source.millis(variables.delay)?.unwrap_or(default_delay),
    })
}

fn read_log_directives(source: &impl Source) -> Result<String, InitError> {
    const VARIABLE: &str = "RUST_LOG";
    let directives = source.text(VARIABLE).unwrap_or_else(|| "info".to_owned());
    match crate::layers::LogFilter::parse(&directives) {
        Ok(_) => Ok(directives),
        Err(_) => Err(InitError::value(
            VARIABLE,
            &directives,
            "directives such as `info` or `warn,orders=debug`; \
             levels are error, warn, info, debug, trace and off",
        )),
    }
}

#[cfg(test)]
mod tests;
