//! Counting what leaves. The SDK's shutdown can say `Ok` although everything was lost;
//! the difference between what ended and what a collector accepted cannot.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

/// How many sampled spans have ended and how many a collector has accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    ended: AtomicU64,
    delivered: AtomicU64,
}

impl Delivery {
    /// Spans that have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.0.ended.load(Ordering::Relaxed)
    }

    /// Spans that ended and were not accepted by a collector, yet or ever.
    pub(crate) fn undelivered(&self) -> u64 {
        self.ended()
            .saturating_sub(self.0.delivered.load(Ordering::Relaxed))
    }
}

/// Counts the spans on their way into the queue.
#[derive(Debug)]
pub(super) struct CountedProcessor<P> {
    inner: P,
    delivery: Delivery,
}

impl<P> CountedProcessor<P> {
    pub(super) fn new(inner: P, delivery: Delivery) -> Self {
        Self { inner, delivery }
    }
}

impl<P: SpanProcessor> SpanProcessor for CountedProcessor<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.delivery.0.ended.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts the spans a collector has accepted.
#[derive(Debug)]
pub(super) struct CountedExporter<E> {
    inner: E,
    delivery: Delivery,
}

impl<E> CountedExporter<E> {
    pub(super) fn new(inner: E, delivery: Delivery) -> Self {
        Self { inner, delivery }
    }
}

impl<E: SpanExporter> SpanExporter for CountedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let result = self.inner.export(batch).await;
        if result.is_ok() {
            self.delivery
                .0
                .delivered
                .fetch_add(count, Ordering::Relaxed);
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
