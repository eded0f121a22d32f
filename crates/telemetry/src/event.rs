//! Events: moments worth seeing on the span they happened in.

use opentelemetry::{Context, KeyValue, trace::TraceContextExt as _};

/// Records a moment on the current span, such as `cache miss`.
///
/// Keep the name the same for every occurrence and put what differs into
/// attributes. Logs are a different thing: `tracing` events go to the log, never
/// onto the span.
///
/// ```
/// telemetry::event("cache miss", []);
/// ```
pub fn event(name: &'static str, attributes: impl IntoIterator<Item = KeyValue>) {
    Context::map_current(|context| {
        let span = context.span();
        if span.is_recording() {
            span.add_event(name, attributes.into_iter().collect());
        }
    });
}
