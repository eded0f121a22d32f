//! The subscriber's parts: which events and spans go where.
//!
//! Spans go to OpenTelemetry, events go to the log (stderr and, through the bridge,
//! OTLP). An event never becomes a span event and never changes the status of a span:
//! an `error!` in passing must not turn a successful checkout red. What belongs on the
//! span is put there by [`record_failure`](crate::record_failure) and
//! [`event`](crate::event).

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::{logs::SdkLoggerProvider, trace::SdkTracer};
use tracing::{Metadata, Subscriber, level_filters::LevelFilter, span, subscriber::Interest};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{ParseError, dynamic_filter_fn},
    layer::Context,
    registry::LookupSpan,
};

use crate::log_format::{JsonLines, NoSpanFields};

/// What runs underneath the exporters. Its spans and events never go to OTLP: each
/// export would cause the next one.
const TRANSPORT: [&str; 7] = [
    "h2",
    "hyper",
    "opentelemetry",
    "reqwest",
    "rustls",
    "tonic",
    "tower",
];

/// Log levels that hold unless the variable says otherwise. The AWS SDK makes twelve
/// debug spans per call; sqlx one event per statement, beside the span there already is.
const QUIET: &str = "aws_=warn,sqlx=warn,hyper=warn,h2=warn,tonic=warn,tower=warn";

/// Makes OpenTelemetry spans of tracing spans.
///
/// Without source locations, threads, targets and busy times: they cost a quarter of
/// the price of a span, and the paths are those of the machine that built it.
pub(crate) fn spans<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(dynamic_filter_fn(|metadata: &Metadata<'_>, _| {
            metadata.is_span() && !is_transport(metadata.target())
        }))
}

/// Sends events as OTLP log records, with the ids of the current span.
pub(crate) fn logs<S>(provider: &SdkLoggerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    OpenTelemetryTracingBridge::new(provider).with_filter(dynamic_filter_fn(
        |metadata: &Metadata<'_>, _| metadata.is_event() && !is_transport(metadata.target()),
    ))
}

/// Writes events to stderr as JSON lines, the transport's own included: a collector that
/// does not answer is reported here, where it cannot cause the next export.
pub(crate) fn lines<S>() -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_subscriber::fmt::layer()
        .event_format(JsonLines)
        .fmt_fields(NoSpanFields)
        .with_writer(std::io::stderr)
}

// Both filters above are dynamic on purpose, as a second line behind the global filter. A
// static per-layer filter may answer "always" for a callsite; `log::log_enabled!`, which sqlx
// calls for every statement, then leaves stale filter bits behind, and the next span and the
// next event are silently lost (tokio-rs/tracing#2519).

fn is_transport(target: &str) -> bool {
    TRANSPORT.iter().any(|prefix| {
        target
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '_']))
    })
}

/// The one global filter, in front of all layers: `RUST_LOG` for events, and every span
/// of level INFO and above.
///
/// Spans are exempt because a quieter log must not tear holes into the traces: with
/// `RUST_LOG=warn` an ordinary `EnvFilter` drops every business span.
pub(crate) struct LogFilter(EnvFilter);

impl LogFilter {
    /// Parses directives in the syntax of `RUST_LOG`.
    pub(crate) fn parse(directives: &str) -> Result<Self, ParseError> {
        // Parsed once alone, so that an error quotes what was written.
        EnvFilter::builder().parse(directives)?;
        EnvFilter::builder()
            .parse(format!("{QUIET},{directives}"))
            .map(Self)
    }

    fn is_business_span(metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && *metadata.level() <= tracing::Level::INFO
    }
}

impl<S: Subscriber> Layer<S> for LogFilter {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let interest = Layer::<S>::register_callsite(&self.0, metadata);
        if Self::is_business_span(metadata) {
            Interest::always()
        } else {
            interest
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        Self::is_business_span(metadata) || self.0.enabled(metadata, context)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Layer::<S>::max_level_hint(&self.0).map(|hint| hint.max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        self.0.on_new_span(attrs, id, context);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        self.0.on_record(id, values, context);
    }

    fn on_enter(&self, id: &span::Id, context: Context<'_, S>) {
        self.0.on_enter(id, context);
    }

    fn on_exit(&self, id: &span::Id, context: Context<'_, S>) {
        self.0.on_exit(id, context);
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        self.0.on_close(id, context);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::{layer::SubscriberExt as _, registry::Registry};

    use super::*;

    /// Notes the names of the spans and the levels of the events that reach it.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Seen {
        fn on_new_span(&self, attrs: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
            self.0.lock().unwrap().push(attrs.metadata().name().into());
        }
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0
                .lock()
                .unwrap()
                .push(event.metadata().level().to_string());
        }
    }

    fn seen(directives: &str, act: impl FnOnce()) -> Vec<String> {
        let seen = Seen::default();
        let subscriber = Registry::default()
            .with(LogFilter::parse(directives).unwrap())
            .with(seen.clone());
        tracing::subscriber::with_default(subscriber, act);
        seen.0.lock().unwrap().split_off(0)
    }

    #[test]
    fn a_quieter_log_keeps_the_business_spans() {
        let names = seen("warn", || {
            let _span = tracing::info_span!("checkInventory").entered();
            tracing::info!("not wanted");
            tracing::warn!("wanted");
        });
        assert_eq!(names, ["checkInventory", "WARN"]);
    }

    #[test]
    fn debug_spans_follow_the_log_level() {
        let names = seen("info", || {
            let _span = tracing::debug_span!("detail").entered();
        });
        assert_eq!(names, Vec::<String>::new());
    }

    #[test]
    fn what_is_quiet_by_default_can_be_asked_for() {
        let speak = || tracing::debug!(target: "aws_sdk_sqs::operation", "call");
        assert!(seen("debug", speak).is_empty());
        assert_eq!(seen("debug,aws_sdk_sqs=debug", speak), ["DEBUG"]);
    }

    #[test]
    fn a_directive_that_cannot_be_read_is_refused() {
        assert!(LogFilter::parse("info,orders=loud").is_err());
    }

    #[test]
    fn only_the_transport_itself_is_kept_out() {
        assert!(is_transport("h2::codec"));
        assert!(is_transport("hyper_util::client"));
        assert!(is_transport("opentelemetry_sdk"));
        assert!(!is_transport("towers_of_hanoi"));
        assert!(!is_transport("orders::checkout"));
    }
}
