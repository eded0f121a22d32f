//! What the spans and metrics of one queue have in common.
//!
//! Metrics: <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/>.

use std::time::Duration;

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram},
    trace::{SpanBuilder, SpanKind},
};
use opentelemetry_semantic_conventions::{
    attribute::{
        AWS_SQS_QUEUE_URL, ERROR_TYPE, MESSAGING_DESTINATION_NAME, MESSAGING_OPERATION_NAME,
        MESSAGING_OPERATION_TYPE, MESSAGING_SYSTEM, SERVER_ADDRESS, SERVER_PORT,
    },
    metric::{
        MESSAGING_CLIENT_CONSUMED_MESSAGES, MESSAGING_CLIENT_OPERATION_DURATION,
        MESSAGING_CLIENT_SENT_MESSAGES, MESSAGING_PROCESS_DURATION,
    },
};
use url::Url;

/// The conventions' boundaries for messaging durations, in seconds.
const BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// What is done with a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Send,
    Receive,
    Process,
    Delete,
}

impl Operation {
    /// `messaging.operation.name`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Process => "process",
            Self::Delete => "delete",
        }
    }

    /// `messaging.operation.type`.
    fn kind(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Process => "process",
            Self::Delete => "settle",
        }
    }

    fn span_kind(self) -> SpanKind {
        match self {
            Self::Send => SpanKind::Producer,
            Self::Receive | Self::Delete => SpanKind::Client,
            Self::Process => SpanKind::Consumer,
        }
    }
}

/// The facts of one queue, and its instruments.
#[derive(Debug)]
pub(super) struct Destination {
    name: String,
    attributes: Vec<KeyValue>,
    operation_duration: Histogram<f64>,
    process_duration: Histogram<f64>,
    sent: Counter<u64>,
    consumed: Counter<u64>,
}

impl Destination {
    pub(super) fn new(name: &str, url: &str) -> Self {
        let mut attributes = vec![
            KeyValue::new(MESSAGING_SYSTEM, "aws_sqs"),
            KeyValue::new(MESSAGING_DESTINATION_NAME, name.to_owned()),
        ];
        if let Ok(parsed) = Url::parse(url)
            && let Some(host) = parsed.host_str()
        {
            attributes.push(KeyValue::new(SERVER_ADDRESS, host.to_owned()));
            if let Some(port) = parsed.port_or_known_default() {
                attributes.push(KeyValue::new(SERVER_PORT, i64::from(port)));
            }
        }
        let meter = global::meter("telemetry");
        let histogram = |name: &'static str, description: &'static str| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description)
                .with_boundaries(BOUNDARIES.to_vec())
                .build()
        };
        let counter = |name: &'static str, description: &'static str| {
            meter
                .u64_counter(name)
                .with_unit("{message}")
                .with_description(description)
                .build()
        };
        Self {
            name: name.to_owned(),
            attributes,
            operation_duration: histogram(
                MESSAGING_CLIENT_OPERATION_DURATION,
                "Duration of messaging operations initiated by a producer or consumer client.",
            ),
            process_duration: histogram(
                MESSAGING_PROCESS_DURATION,
                "Duration of processing operation.",
            ),
            sent: counter(
                MESSAGING_CLIENT_SENT_MESSAGES,
                "Number of messages producer attempted to send to the broker.",
            ),
            consumed: counter(
                MESSAGING_CLIENT_CONSUMED_MESSAGES,
                "Number of messages that were delivered to the application.",
            ),
        }
    }

    /// A span `{operation} {queue}` with the attributes every such span has.
    pub(super) fn span(
        &self,
        operation: Operation,
        url: &str,
        more: impl IntoIterator<Item = KeyValue>,
    ) -> SpanBuilder {
        let mut attributes = self.operation_attributes(operation);
        attributes.push(KeyValue::new(MESSAGING_OPERATION_TYPE, operation.kind()));
        attributes.push(KeyValue::new(AWS_SQS_QUEUE_URL, url.to_owned()));
        attributes.extend(more);
        SpanBuilder::from_name(format!("{} {}", operation.name(), self.name))
            .with_kind(operation.span_kind())
            .with_attributes(attributes)
    }

    pub(super) fn record(&self, operation: Operation, took: Duration, error_type: Option<&str>) {
        let mut attributes = self.operation_attributes(operation);
        if let Some(error_type) = error_type {
            attributes.push(KeyValue::new(ERROR_TYPE, error_type.to_owned()));
        }
        let took = took.as_secs_f64();
        match operation {
            Operation::Process => self.process_duration.record(took, &attributes),
            Operation::Send => {
                self.operation_duration.record(took, &attributes);
                self.sent.add(1, &attributes);
            }
            Operation::Receive | Operation::Delete => {
                self.operation_duration.record(took, &attributes);
            }
        }
    }

    pub(super) fn count_consumed(&self, messages: usize) {
        let attributes = self.operation_attributes(Operation::Receive);
        self.consumed
            .add(u64::try_from(messages).unwrap_or(u64::MAX), &attributes);
    }

    fn operation_attributes(&self, operation: Operation) -> Vec<KeyValue> {
        let mut attributes = self.attributes.clone();
        attributes.push(KeyValue::new(MESSAGING_OPERATION_NAME, operation.name()));
        attributes
    }
}
