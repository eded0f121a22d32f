//! What the SERVER span says about the answer, and the duration metric.

use std::time::Instant;

use http::header::HeaderValue;
use http::{HeaderName, Method, StatusCode, Version};
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::attribute;

use super::request;
use crate::call::{Call, Ending};
use crate::error::{add_exception, mark_error};
use crate::span_guard::{CANCELLED, PANIC};

/// The response header that bears the trace id.
pub(crate) const TRACE_ID_HEADER: HeaderName = HeaderName::from_static("x-trace-id");

/// One request on its way through a server.
pub struct ServerCall {
    started: Instant,
    method: &'static str,
    head_only: bool,
    scheme: &'static str,
    route: Option<String>,
    version: Version,
    status: Option<StatusCode>,
    duration: Histogram<f64>,
}

impl ServerCall {
    pub(super) fn new<B>(
        request: &http::Request<B>,
        method: &'static str,
        duration: Histogram<f64>,
    ) -> Self {
        Self {
            started: Instant::now(),
            method,
            head_only: request.method() == Method::HEAD,
            scheme: request::scheme(request.uri()),
            route: request::route(request).map(ToOwned::to_owned),
            version: request.version(),
            status: None,
            duration,
        }
    }

    /// Whether an answer has no body by its nature, so that nobody will ever read one.
    fn bodyless(&self) -> bool {
        self.head_only
            || self.status.is_some_and(|status| {
                status.is_informational()
                    || status == StatusCode::NO_CONTENT
                    || status == StatusCode::NOT_MODIFIED
            })
    }

    fn measure(&self, error: Option<&str>) {
        let mut attributes = Vec::with_capacity(6);
        attributes.push(KeyValue::new(attribute::HTTP_REQUEST_METHOD, self.method));
        attributes.push(KeyValue::new(attribute::URL_SCHEME, self.scheme));
        if let Some(route) = &self.route {
            attributes.push(KeyValue::new(attribute::HTTP_ROUTE, route.clone()));
        }
        if let Some(status) = self.status {
            attributes.push(KeyValue::new(
                attribute::HTTP_RESPONSE_STATUS_CODE,
                i64::from(status.as_u16()),
            ));
        }
        if let Some(version) = request::protocol_version(self.version) {
            attributes.push(KeyValue::new(attribute::NETWORK_PROTOCOL_VERSION, version));
        }
        if let Some(error) = error {
            attributes.push(KeyValue::new(attribute::ERROR_TYPE, error.to_owned()));
        }
        self.duration
            .record(self.started.elapsed().as_secs_f64(), &attributes);
    }
}

impl Call for ServerCall {
    fn head(&mut self, context: &Context, head: &mut http::response::Parts) {
        self.status = Some(head.status);
        let span = context.span();
        span.set_attribute(KeyValue::new(
            attribute::HTTP_RESPONSE_STATUS_CODE,
            i64::from(head.status.as_u16()),
        ));
        if span.span_context().is_valid() {
            let id = span.span_context().trace_id().to_string();
            if let Ok(id) = HeaderValue::try_from(id) {
                head.headers.insert(TRACE_ID_HEADER, id);
            }
        }
    }

    fn end(self, context: &Context, ending: &Ending<'_>) {
        let span = context.span();
        let error = match ending {
            Ending::Panicked => Some(PANIC),
            Ending::Failed(error) => {
                let class = if self.status.is_some() {
                    "response_body"
                } else {
                    "_OTHER"
                };
                add_exception(&span, class, *error);
                Some(class)
            }
            Ending::Dropped if !self.bodyless() => Some(CANCELLED),
            Ending::Complete | Ending::Dropped => None,
        };
        let server_error = self.status.filter(StatusCode::is_server_error);
        let error = error.or(server_error.as_ref().map(StatusCode::as_str));
        match error {
            // The caller went away. That is no fault of the server and not in its error rate.
            Some(CANCELLED) => span.set_attribute(KeyValue::new(attribute::ERROR_TYPE, CANCELLED)),
            // No description: it would only repeat the status code or the class.
            Some(error) => mark_error(&span, error, ""),
            None => {}
        }
        self.measure(error);
    }
}
