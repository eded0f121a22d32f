//! The span and the duration of one command or pipeline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use opentelemetry::{
    Context, KeyValue, global,
    metrics::Histogram,
    trace::{SpanBuilder, SpanKind},
};
use opentelemetry_semantic_conventions::{
    attribute::{
        DB_NAMESPACE, DB_OPERATION_BATCH_SIZE, DB_OPERATION_NAME, DB_QUERY_SUMMARY, DB_QUERY_TEXT,
        DB_RESPONSE_RETURNED_ROWS, DB_RESPONSE_STATUS_CODE, DB_SYSTEM_NAME, ERROR_TYPE,
        SERVER_ADDRESS, SERVER_PORT,
    },
    metric::DB_CLIENT_OPERATION_DURATION,
};
use redis::{ConnectionAddr, ConnectionInfo};

use super::{command::Description, reply::Failed};
use crate::{SpanGuard, attributes::TENANT_ID};

/// The conventions' boundaries for database durations, in seconds.
const BOUNDARIES: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// What every span of one Redis has in common.
#[derive(Debug)]
pub(super) struct Server {
    attributes: Vec<KeyValue>,
    duration: Histogram<f64>,
}

impl Server {
    pub(super) fn new(info: &ConnectionInfo) -> Self {
        let mut attributes = vec![
            KeyValue::new(DB_SYSTEM_NAME, "redis"),
            KeyValue::new(DB_NAMESPACE, info.redis_settings().db().to_string()),
        ];
        match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                attributes.push(KeyValue::new(SERVER_ADDRESS, host.clone()));
                attributes.push(KeyValue::new(SERVER_PORT, i64::from(*port)));
            }
            ConnectionAddr::Unix(path) => {
                attributes.push(KeyValue::new(SERVER_ADDRESS, path.display().to_string()));
            }
            _ => {}
        }
        Self {
            attributes,
            duration: global::meter("telemetry")
                .f64_histogram(DB_CLIENT_OPERATION_DURATION)
                .with_unit("s")
                .with_description("Duration of database client operations.")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
        }
    }
}

/// A command in progress. Dropped before [`finish`](Self::finish), it was cancelled.
pub(super) struct CommandSpan {
    guard: Option<SpanGuard>,
    server: Arc<Server>,
    identity: Vec<KeyValue>,
    started: Instant,
}

impl CommandSpan {
    pub(super) fn start(
        server: &Arc<Server>,
        description: Description,
        tenant: Option<String>,
        parent: &Context,
    ) -> Self {
        let mut identity = server.attributes.clone();
        identity.push(KeyValue::new(DB_OPERATION_NAME, description.operation));
        identity.push(KeyValue::new(DB_QUERY_SUMMARY, description.summary.clone()));
        let mut attributes = identity.clone();
        if let Some(text) = description.text {
            attributes.push(KeyValue::new(DB_QUERY_TEXT, text));
        }
        if let Some(batch) = description.batch {
            attributes.push(KeyValue::new(
                DB_OPERATION_BATCH_SIZE,
                i64::try_from(batch).unwrap_or(i64::MAX),
            ));
        }
        if let Some(tenant) = tenant {
            attributes.push(KeyValue::new(TENANT_ID, tenant));
        }
        let builder = SpanBuilder::from_name(description.summary)
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        Self {
            guard: Some(SpanGuard::start(builder, parent)),
            server: Arc::clone(server),
            identity,
            started: Instant::now(),
        }
    }

    /// A key that was asked of a cache was not there.
    pub(super) fn miss(&self) {
        if let Some(guard) = &self.guard {
            guard.span().add_event("cache miss", Vec::new());
        }
    }

    pub(super) fn finish(mut self, rows: Option<i64>, failure: Option<Failed>) {
        let took = self.started.elapsed();
        let Some(guard) = self.guard.take() else {
            return;
        };
        if let Some(rows) = rows {
            guard
                .span()
                .set_attribute(KeyValue::new(DB_RESPONSE_RETURNED_ROWS, rows));
        }
        match failure {
            None => {
                guard.end();
                self.record(took, None);
            }
            Some(failed) => {
                if let Some(code) = failed.status_code {
                    guard
                        .span()
                        .set_attribute(KeyValue::new(DB_RESPONSE_STATUS_CODE, code));
                }
                guard.fail(failed.error_type.clone(), failed.description);
                self.record(took, Some(failed.error_type));
            }
        }
    }

    fn record(&mut self, took: Duration, error_type: Option<String>) {
        let mut attributes = std::mem::take(&mut self.identity);
        if let Some(error_type) = error_type {
            attributes.push(KeyValue::new(ERROR_TYPE, error_type));
        }
        self.server.duration.record(took.as_secs_f64(), &attributes);
    }
}

impl Drop for CommandSpan {
    fn drop(&mut self) {
        if let Some(guard) = self.guard.take() {
            drop(guard);
            let took = self.started.elapsed();
            self.record(took, Some("cancelled".to_owned()));
        }
    }
}
