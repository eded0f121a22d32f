//! What the store counts about itself, and the Prometheus text of `/metrics`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Running totals, written by ingest.
#[derive(Default)]
pub(crate) struct Counters {
    received: AtomicU64,
    stored: AtomicU64,
    duplicates: AtomicU64,
    refused_invalid: AtomicU64,
    refused_full: AtomicU64,
    evicted_traces: AtomicU64,
    evicted_spans: AtomicU64,
    log_records: AtomicU64,
    data_points: AtomicU64,
    malformed_requests: AtomicU64,
}

/// A reading of the counters and of the store's size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Traces stored now.
    pub traces: usize,
    /// Spans stored now.
    pub spans: usize,
    /// Approximate bytes taken now.
    pub bytes: usize,
    /// Spans that came in.
    pub spans_received: u64,
    /// Spans that were stored.
    pub spans_stored: u64,
    /// Spans sent again by a retrying exporter.
    pub spans_duplicate: u64,
    /// Spans refused for an invalid id.
    pub spans_refused_invalid: u64,
    /// Spans refused because their trace was full.
    pub spans_refused_full: u64,
    /// Traces that left to make room.
    pub traces_evicted: u64,
    /// Spans of those traces.
    pub spans_evicted: u64,
    /// Log records accepted (and only counted).
    pub log_records_received: u64,
    /// Metric data points accepted (and only counted).
    pub data_points_received: u64,
    /// Export requests over HTTP that could not be read.
    pub requests_malformed: u64,
}

impl Counters {
    pub(crate) fn received(&self, spans: usize) {
        self.received.fetch_add(spans as u64, Relaxed);
    }

    pub(crate) fn stored(&self) {
        self.stored.fetch_add(1, Relaxed);
    }

    pub(crate) fn duplicate(&self) {
        self.duplicates.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused_invalid(&self) {
        self.refused_invalid.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused_full(&self) {
        self.refused_full.fetch_add(1, Relaxed);
    }

    pub(crate) fn evicted(&self, spans: usize) {
        self.evicted_traces.fetch_add(1, Relaxed);
        self.evicted_spans.fetch_add(spans as u64, Relaxed);
    }

    pub(crate) fn log_records(&self, count: usize) {
        self.log_records.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn data_points(&self, count: usize) {
        self.data_points.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn malformed_request(&self) {
        self.malformed_requests.fetch_add(1, Relaxed);
    }

    pub(crate) fn figures(&self, traces: usize, spans: usize, bytes: usize) -> Figures {
        Figures {
            traces,
            spans,
            bytes,
            spans_received: self.received.load(Relaxed),
            spans_stored: self.stored.load(Relaxed),
            spans_duplicate: self.duplicates.load(Relaxed),
            spans_refused_invalid: self.refused_invalid.load(Relaxed),
            spans_refused_full: self.refused_full.load(Relaxed),
            traces_evicted: self.evicted_traces.load(Relaxed),
            spans_evicted: self.evicted_spans.load(Relaxed),
            log_records_received: self.log_records.load(Relaxed),
            data_points_received: self.data_points.load(Relaxed),
            requests_malformed: self.malformed_requests.load(Relaxed),
        }
    }
}

impl Figures {
    /// The Prometheus text exposition format.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = String::new();
        let gauges = [
            ("traces", "Traces stored now.", self.traces),
            ("spans", "Spans stored now.", self.spans),
            ("bytes", "Approximate bytes of what is stored.", self.bytes),
        ];
        for (name, help, value) in gauges {
            family(&mut text, name, "gauge", help);
            let _ = writeln!(text, "tracebox_{name} {value}");
        }
        let counters = [
            (
                "spans_received_total",
                "Spans received over OTLP.",
                self.spans_received,
            ),
            ("spans_stored_total", "Spans stored.", self.spans_stored),
            (
                "spans_duplicate_total",
                "Spans sent again and not stored again.",
                self.spans_duplicate,
            ),
            (
                "traces_evicted_total",
                "Traces that left to make room.",
                self.traces_evicted,
            ),
            (
                "spans_evicted_total",
                "Spans of evicted traces.",
                self.spans_evicted,
            ),
            (
                "log_records_received_total",
                "Log records accepted and counted.",
                self.log_records_received,
            ),
            (
                "data_points_received_total",
                "Metric data points accepted and counted.",
                self.data_points_received,
            ),
            (
                "requests_malformed_total",
                "OTLP/HTTP requests that could not be read.",
                self.requests_malformed,
            ),
        ];
        for (name, help, value) in counters {
            family(&mut text, name, "counter", help);
            let _ = writeln!(text, "tracebox_{name} {value}");
        }
        let refused = "spans_refused_total";
        family(&mut text, refused, "counter", "Spans refused, by reason.");
        for (reason, value) in [
            ("invalid_id", self.spans_refused_invalid),
            ("trace_full", self.spans_refused_full),
        ] {
            let _ = writeln!(text, "tracebox_{refused}{{reason=\"{reason}\"}} {value}");
        }
        text
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP tracebox_{name} {help}");
    let _ = writeln!(text, "# TYPE tracebox_{name} {kind}");
}
