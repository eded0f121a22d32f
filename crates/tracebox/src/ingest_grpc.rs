//! OTLP over gRPC: traces are stored, logs and metrics are accepted and counted.

use std::sync::Arc;

use axum::Router;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
    logs_service_server::{LogsService, LogsServiceServer},
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
    metrics_service_server::{MetricsService, MetricsServiceServer},
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::store::{Ingested, Store};

pub(crate) fn router(store: &Arc<Store>, max_request: usize) -> Router {
    let receiver = || Receiver(Arc::clone(store));
    Routes::new(
        TraceServiceServer::new(receiver())
            .accept_compressed(Gzip)
            .send_compressed(Gzip)
            .max_decoding_message_size(max_request),
    )
    .add_service(
        LogsServiceServer::new(receiver())
            .accept_compressed(Gzip)
            .max_decoding_message_size(max_request),
    )
    .add_service(
        MetricsServiceServer::new(receiver())
            .accept_compressed(Gzip)
            .max_decoding_message_size(max_request),
    )
    .into_axum_router()
}

struct Receiver(Arc<Store>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let ingested = self.0.ingest(request.into_inner());
        Ok(Response::new(answer(ingested)))
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.0.counters.log_records(log_records(request.get_ref()));
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.counters.data_points(data_points(request.get_ref()));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// The partial success is set only if spans were refused: setting it otherwise
/// makes exporters log a warning.
pub(crate) fn answer(ingested: Ingested) -> ExportTraceServiceResponse {
    let partial_success = (ingested.rejected > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(ingested.rejected).unwrap_or(i64::MAX),
        error_message: ingested.message,
    });
    ExportTraceServiceResponse { partial_success }
}

pub(crate) fn log_records(request: &ExportLogsServiceRequest) -> usize {
    let scopes = request.resource_logs.iter().flat_map(|r| &r.scope_logs);
    scopes.map(|scope| scope.log_records.len()).sum()
}

pub(crate) fn data_points(request: &ExportMetricsServiceRequest) -> usize {
    request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics)
        .map(|metric| match &metric.data {
            Some(Data::Gauge(data)) => data.data_points.len(),
            Some(Data::Sum(data)) => data.data_points.len(),
            Some(Data::Histogram(data)) => data.data_points.len(),
            Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
            Some(Data::Summary(data)) => data.data_points.len(),
            None => 0,
        })
        .sum()
}
