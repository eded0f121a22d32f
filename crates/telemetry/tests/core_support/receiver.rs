//! A collector in this process that remembers what it was sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value},
    logs::v1::LogRecord,
    trace::v1::Span,
};
use prost::Message as _;
use tonic::{Request, Response, Status};

#[derive(Debug, Default)]
struct Received {
    traces: Mutex<Vec<ExportTraceServiceRequest>>,
    metrics: Mutex<Vec<ExportMetricsServiceRequest>>,
    logs: Mutex<Vec<ExportLogsServiceRequest>>,
    authorizations: Mutex<Vec<String>>,
}

impl Received {
    fn note(&self, headers: &HeaderMap) {
        let value = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        self.authorizations
            .lock()
            .unwrap()
            .push(value.unwrap_or_default().to_owned());
    }
}

/// Listens for OTLP over gRPC and over HTTP on one port.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    received: Arc<Received>,
    address: SocketAddr,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let received = Arc::new(Received::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = Service(received.clone());
        let grpc = tonic::service::Routes::new(TraceServiceServer::new(service.clone()))
            .add_service(MetricsServiceServer::new(service.clone()))
            .add_service(LogsServiceServer::new(service));
        let http = axum::Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .route("/v1/logs", post(logs))
            .with_state(received.clone());
        let router = grpc.prepare().into_axum_router().merge(http);
        telemetry::spawn_detached(async move { axum::serve(listener, router).await });
        Self { received, address }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.received.traces.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    pub(crate) fn span_names(&self) -> Vec<String> {
        self.spans().into_iter().map(|span| span.name).collect()
    }

    pub(crate) fn log_records(&self) -> Vec<LogRecord> {
        let requests = self.received.logs.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_logs);
        let scopes = resources.flat_map(|resource| &resource.scope_logs);
        scopes.flat_map(|scope| scope.log_records.clone()).collect()
    }

    /// The targets of the events that became log records.
    pub(crate) fn log_targets(&self) -> Vec<String> {
        let requests = self.received.logs.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_logs);
        let scopes = resources.flat_map(|resource| &resource.scope_logs);
        scopes
            .filter_map(|scope| scope.scope.as_ref().map(|scope| scope.name.clone()))
            .collect()
    }

    pub(crate) fn metric_names(&self) -> Vec<String> {
        let requests = self.received.metrics.lock().unwrap();
        let resources = requests
            .iter()
            .flat_map(|request| &request.resource_metrics);
        let scopes = resources.flat_map(|resource| &resource.scope_metrics);
        scopes
            .flat_map(|scope| scope.metrics.iter().map(|metric| metric.name.clone()))
            .collect()
    }

    /// The resource attribute `key` of every request, of all three signals.
    pub(crate) fn resource_texts(&self, key: &str) -> Vec<String> {
        let mut attributes: Vec<Vec<KeyValue>> = Vec::new();
        for request in self.received.traces.lock().unwrap().iter() {
            let resources = request.resource_spans.iter();
            attributes.extend(resources.filter_map(|r| Some(r.resource.clone()?.attributes)));
        }
        for request in self.received.metrics.lock().unwrap().iter() {
            let resources = request.resource_metrics.iter();
            attributes.extend(resources.filter_map(|r| Some(r.resource.clone()?.attributes)));
        }
        for request in self.received.logs.lock().unwrap().iter() {
            let resources = request.resource_logs.iter();
            attributes.extend(resources.filter_map(|r| Some(r.resource.clone()?.attributes)));
        }
        attributes
            .iter()
            .map(|attributes| text(attributes, key).unwrap_or_default())
            .collect()
    }

    /// The `authorization` header of every request; empty where there was none.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.received.authorizations.lock().unwrap().clone()
    }
}

/// The text attribute `key`.
pub(crate) fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

#[derive(Clone)]
struct Service(Arc<Received>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.note(request.metadata().as_ref());
        self.0.traces.lock().unwrap().push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.note(request.metadata().as_ref());
        self.0.metrics.lock().unwrap().push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.0.note(request.metadata().as_ref());
        self.0.logs.lock().unwrap().push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

async fn traces(State(received): State<Arc<Received>>, headers: HeaderMap, body: Bytes) {
    received.note(&headers);
    let request = ExportTraceServiceRequest::decode(body).expect("a trace request");
    received.traces.lock().unwrap().push(request);
}

async fn metrics(State(received): State<Arc<Received>>, headers: HeaderMap, body: Bytes) {
    received.note(&headers);
    let request = ExportMetricsServiceRequest::decode(body).expect("a metrics request");
    received.metrics.lock().unwrap().push(request);
}

async fn logs(State(received): State<Arc<Received>>, headers: HeaderMap, body: Bytes) {
    received.note(&headers);
    let request = ExportLogsServiceRequest::decode(body).expect("a logs request");
    received.logs.lock().unwrap().push(request);
}
