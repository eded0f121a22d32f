//! The durations of statements and of waits, as histograms.
//!
//! Names, units and boundaries are those of
//! <https://opentelemetry.io/docs/specs/semconv/db/database-metrics/>.

use std::time::Duration;

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram},
};
use opentelemetry_semantic_conventions::{
    attribute::{DB_CLIENT_CONNECTION_POOL_NAME, ERROR_TYPE},
    metric::{
        DB_CLIENT_CONNECTION_TIMEOUTS, DB_CLIENT_CONNECTION_WAIT_TIME, DB_CLIENT_OPERATION_DURATION,
    },
};

/// The conventions' boundaries for database durations, in seconds.
const BOUNDARIES: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

#[derive(Debug)]
pub(super) struct Metrics {
    duration: Histogram<f64>,
    wait_time: Histogram<f64>,
    timeouts: Counter<u64>,
}

impl Metrics {
    /// Made with the pool, that is after telemetry has started.
    pub(super) fn new() -> Self {
        let meter = global::meter("telemetry");
        Self {
            duration: meter
                .f64_histogram(DB_CLIENT_OPERATION_DURATION)
                .with_unit("s")
                .with_description("Duration of database client operations.")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
            wait_time: meter
                .f64_histogram(DB_CLIENT_CONNECTION_WAIT_TIME)
                .with_unit("s")
                .with_description("The time it took to obtain an open connection from the pool.")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
            timeouts: meter
                .u64_counter(DB_CLIENT_CONNECTION_TIMEOUTS)
                .with_unit("{timeout}")
                .with_description("Connection acquisitions that timed out.")
                .build(),
        }
    }

    pub(super) fn record_operation(
        &self,
        took: Duration,
        mut attributes: Vec<KeyValue>,
        error_type: Option<&str>,
    ) {
        if let Some(error_type) = error_type {
            attributes.push(KeyValue::new(ERROR_TYPE, error_type.to_owned()));
        }
        self.duration.record(took.as_secs_f64(), &attributes);
    }

    pub(super) fn record_wait(&self, pool_name: &str, waited: Duration) {
        self.wait_time
            .record(waited.as_secs_f64(), &[pool(pool_name)]);
    }

    pub(super) fn count_timeout(&self, pool_name: &str) {
        self.timeouts.add(1, &[pool(pool_name)]);
    }
}

fn pool(name: &str) -> KeyValue {
    KeyValue::new(DB_CLIENT_CONNECTION_POOL_NAME, name.to_owned())
}
