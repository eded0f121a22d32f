//! The way out: providers, queues and exporters.
//!
//! The exporters live on a runtime of their own, one thread called `otel-io`. On the
//! service's runtime a flush at shutdown would wait for workers that wait for the flush
//! and lose everything, and a blocked worker would stop the exports.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _, WithTonicConfig as _, tonic_types::metadata::MetadataMap,
};
use opentelemetry_sdk::{
    Resource, logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider,
};
use tokio::runtime::{Handle, Runtime};

use crate::config::{Batch, Config, Exporter, InitError, Protocol, RootSampler, Signal};
use delivery::{CountedExporter, CountedProcessor, Delivery};
use http_client::OtelIoClient;

pub(crate) mod delivery;
mod http_client;

/// Everything that has to be flushed and stopped at the end.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) tracers: SdkTracerProvider,
    pub(crate) meters: SdkMeterProvider,
    pub(crate) loggers: SdkLoggerProvider,
    /// What became of the spans.
    pub(crate) delivery: Delivery,
    /// Runs the exporters' connections; stopped last.
    pub(crate) io: Runtime,
}

impl Pipeline {
    /// Starts the providers. The meter provider is made known to the process before the
    /// others are built: their queues' own metrics bind to it while they are built.
    pub(crate) fn start(config: &Config, resource: &Resource) -> Result<Self, InitError> {
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("otel-io")
            .enable_all()
            .build()
            .map_err(InitError::Runtime)?;
        let delivery = Delivery::default();
        let (meters, tracers, loggers) = {
            // Connections belong to the runtime that is entered when they are made.
            let _io = io.enter();
            let meters = meters(config, resource, io.handle())?;
            opentelemetry::global::set_meter_provider(meters.clone());
            let tracers = tracers(config, resource, io.handle(), &delivery)?;
            let loggers = loggers(config, resource, io.handle())?;
            (meters, tracers, loggers)
        };
        Ok(Self {
            tracers,
            meters,
            loggers,
            delivery,
            io,
        })
    }
}

fn meters(
    config: &Config,
    resource: &Resource,
    io: &Handle,
) -> Result<SdkMeterProvider, InitError> {
    use opentelemetry_sdk::metrics::PeriodicReader;

    let mut builder = SdkMeterProvider::builder().with_resource(resource.clone());
    if let Some(exporter) = &config.metrics {
        let built = match exporter.protocol {
            Protocol::Grpc => MetricExporter::builder()
                .with_tonic()
                .with_endpoint(exporter.endpoint.as_str())
                .with_timeout(exporter.timeout)
                .with_metadata(metadata(exporter))
                .build(),
            Protocol::HttpProtobuf => MetricExporter::builder()
                .with_http()
                .with_endpoint(exporter.endpoint.as_str())
                .with_timeout(exporter.timeout)
                .with_headers(headers(exporter))
                .with_http_client(OtelIoClient::new(io, exporter.timeout)?)
                .build(),
        }
        .map_err(failed(Signal::Metrics))?;
        builder = builder.with_reader(
            PeriodicReader::builder(built)
                .with_interval(config.metric_interval)
                .build(),
        );
    }
    Ok(builder.build())
}

fn tracers(
    config: &Config,
    resource: &Resource,
    io: &Handle,
    delivery: &Delivery,
) -> Result<SdkTracerProvider, InitError> {
    use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler};

    let root = match config.sampler {
        RootSampler::AlwaysOn => Sampler::AlwaysOn,
        RootSampler::AlwaysOff => Sampler::AlwaysOff,
        RootSampler::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
    };
    let mut builder = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_sampler(Sampler::ParentBased(Box::new(root)));
    if let Some(exporter) = &config.traces {
        let built = match exporter.protocol {
            Protocol::Grpc => SpanExporter::builder()
                .with_tonic()
                .with_endpoint(exporter.endpoint.as_str())
                .with_timeout(exporter.timeout)
                .with_metadata(metadata(exporter))
                .build(),
            Protocol::HttpProtobuf => SpanExporter::builder()
                .with_http()
                .with_endpoint(exporter.endpoint.as_str())
                .with_timeout(exporter.timeout)
                .with_headers(headers(exporter))
                .with_http_client(OtelIoClient::new(io, exporter.timeout)?)
                .build(),
        }
        .map_err(failed(Signal::Traces))?;
        let Batch {
            max_queue_size,
            max_export_batch_size,
            schedule_delay,
        } = config.span_batch;
        let batch = BatchSpanProcessor::builder(CountedExporter::new(built, delivery.clone()))
            .with_batch_config(
                BatchConfigBuilder::default()
                    .with_max_queue_size(max_queue_size)
                    .with_max_export_batch_size(max_export_batch_size)
                    .with_scheduled_delay(schedule_delay)
                    .build(),
            )
            .build();
        builder = builder.with_span_processor(CountedProcessor::new(batch, delivery.clone()));
    }
    Ok(builder.build())
}

fn loggers(
    config: &Config,
    resource: &Resource,
    io: &Handle,
) -> Result<SdkLoggerProvider, InitError> {
    use opentelemetry_sdk::logs::{BatchConfigBuilder, BatchLogProcessor};

    let mut builder = SdkLoggerProvider::builder().with_resource(resource.clone());
    if let Some(exporter) = &config.logs {
        let built = match exporter.protocol {
            Protocol::Grpc => LogExporter::builder()
                .with_tonic()
                .with_endpoint(exporter.endpoint.as_str())
                .with_timeout(exporter.timeout)
                .with_metadata(metadata(exporter))
                .build(),
            Protocol::HttpProtobuf => LogExporter::builder()
                .with_http()
                .with_endpoint(exporter.endpoint.as_str())
                .with_timeout(exporter.timeout)
                .with_headers(headers(exporter))
                .with_http_client(OtelIoClient::new(io, exporter.timeout)?)
                .build(),
        }
        .map_err(failed(Signal::Logs))?;
        let Batch {
            max_queue_size,
            max_export_batch_size,
            schedule_delay,
        } = config.log_batch;
        builder = builder.with_log_processor(
            BatchLogProcessor::builder(built)
                .with_batch_config(
                    BatchConfigBuilder::default()
                        .with_max_queue_size(max_queue_size)
                        .with_max_export_batch_size(max_export_batch_size)
                        .with_scheduled_delay(schedule_delay)
                        .build(),
                )
                .build(),
        );
    }
    Ok(builder.build())
}

fn failed(signal: Signal) -> impl Fn(ExporterBuildError) -> InitError {
    move |source| InitError::Exporter {
        signal: signal.name(),
        source,
    }
}

fn headers(exporter: &Exporter) -> HashMap<String, String> {
    exporter.headers.iter().cloned().collect()
}

/// The headers of a gRPC request. `Config` has checked that each of them is one.
fn metadata(exporter: &Exporter) -> MetadataMap {
    let headers: HeaderMap = exporter
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = HeaderName::try_from(name.to_ascii_lowercase()).ok()?;
            Some((name, HeaderValue::try_from(value.as_str()).ok()?))
        })
        .collect();
    MetadataMap::from_headers(headers)
}
