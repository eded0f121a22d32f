//! What the CLIENT span of an HTTP request says, and the duration metric.

use std::error::Error;
use std::time::Instant;

use http::StatusCode;
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue, StringValue};
use opentelemetry_semantic_conventions::attribute;
use reqwest::Request;
use url::Url;

use super::UrlTemplate;
use crate::call::{Call, Ending};
use crate::error::{add_exception, mark_error};
use crate::http_server::request::{bare_host, known_method, masked_query, protocol_version};
use crate::retry::current_attempt;
use crate::span_guard::{CANCELLED, PANIC};

/// One request on its way to another server.
pub(super) struct ClientCall {
    started: Instant,
    method: &'static str,
    address: StringValue,
    port: Option<i64>,
    template: Option<UrlTemplate>,
    status: Option<StatusCode>,
    duration: Histogram<f64>,
}

impl ClientCall {
    pub(super) fn new(
        request: &Request,
        template: Option<UrlTemplate>,
        duration: Histogram<f64>,
    ) -> Self {
        let url = request.url();
        Self {
            started: Instant::now(),
            method: known_method(request.method()),
            address: bare_host(url.host_str().unwrap_or_default())
                .to_owned()
                .into(),
            port: url.port_or_known_default().map(i64::from),
            template,
            status: None,
            duration,
        }
    }

    /// The attributes known before the request is sent.
    pub(super) fn attributes(&self, request: &Request, parent: &Context) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(8);
        self.common(&mut attributes);
        attributes.push(KeyValue::new(
            attribute::URL_FULL,
            masked_url(request.url()),
        ));
        if let Some(resend @ 1..) = current_attempt(parent) {
            attributes.push(KeyValue::new(
                attribute::HTTP_REQUEST_RESEND_COUNT,
                i64::from(resend),
            ));
        }
        attributes
    }

    fn common(&self, attributes: &mut Vec<KeyValue>) {
        attributes.push(KeyValue::new(attribute::HTTP_REQUEST_METHOD, self.method));
        attributes.push(KeyValue::new(
            attribute::SERVER_ADDRESS,
            self.address.clone(),
        ));
        if let Some(port) = self.port {
            attributes.push(KeyValue::new(attribute::SERVER_PORT, port));
        }
        if let Some(UrlTemplate(template)) = self.template {
            attributes.push(KeyValue::new(attribute::URL_TEMPLATE, template));
        }
    }

    fn measure(&self, error: Option<&str>) {
        let mut attributes = Vec::with_capacity(6);
        self.common(&mut attributes);
        if let Some(status) = self.status {
            attributes.push(KeyValue::new(
                attribute::HTTP_RESPONSE_STATUS_CODE,
                i64::from(status.as_u16()),
            ));
        }
        if let Some(error) = error {
            attributes.push(KeyValue::new(attribute::ERROR_TYPE, error.to_owned()));
        }
        self.duration
            .record(self.started.elapsed().as_secs_f64(), &attributes);
    }
}

impl Call for ClientCall {
    fn head(&mut self, context: &Context, head: &mut http::response::Parts) {
        self.status = Some(head.status);
        let span = context.span();
        span.set_attribute(KeyValue::new(
            attribute::HTTP_RESPONSE_STATUS_CODE,
            i64::from(head.status.as_u16()),
        ));
        if let Some(version) = protocol_version(head.version) {
            span.set_attribute(KeyValue::new(attribute::NETWORK_PROTOCOL_VERSION, version));
        }
    }

    fn end(self, context: &Context, ending: &Ending<'_>) {
        let span = context.span();
        let refused = self
            .status
            .filter(|status| status.is_client_error() || status.is_server_error());
        let error = match ending {
            Ending::Panicked => Some(PANIC),
            Ending::Failed(error) => {
                let class = class(*error);
                if let Some(cause) = cause(*error) {
                    add_exception(&span, class, cause);
                }
                Some(class)
            }
            Ending::Dropped if self.status.is_none() => Some(CANCELLED),
            // A body that nobody wanted to read is no cancellation: the answer was there.
            Ending::Complete | Ending::Dropped => refused.as_ref().map(StatusCode::as_str),
        };
        if let Some(error) = error {
            // No description: it would only repeat the status code or the class.
            mark_error(&span, error, "");
        }
        self.measure(error);
    }
}

/// The reqwest error inside `error`. The middleware's error is transparent, so its chain of
/// causes steps over the error it wraps.
fn transport<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a reqwest::Error> {
    match error.downcast_ref::<reqwest_middleware::Error>() {
        Some(reqwest_middleware::Error::Reqwest(error)) => Some(error),
        Some(reqwest_middleware::Error::Middleware(_)) => None,
        None => error.downcast_ref(),
    }
}

/// What lies below the reqwest error, whose own text holds the URL with its query.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    transport(error)?.source()
}

/// The class of a failed exchange: few enough to be counted by.
fn class(error: &(dyn Error + 'static)) -> &'static str {
    match transport(error) {
        Some(error) if error.is_timeout() => "timeout",
        Some(error) if error.is_connect() => "connect",
        Some(error) if error.is_builder() => "invalid_request",
        Some(error) if error.is_body() || error.is_decode() => "response_body",
        Some(_) => "transport",
        None => "middleware",
    }
}

/// `url.full` without a fragment, and without what a client or an operator keeps secret.
fn masked_url(url: &Url) -> String {
    let mut masked = url.clone();
    masked.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() {
        // A URL that cannot have a user has none to hide.
        let _hidden = masked
            .set_username("REDACTED")
            .and_then(|()| masked.set_password(Some("REDACTED")));
    }
    if let Some(query) = url.query() {
        masked.set_query(Some(&masked_query(query)));
    }
    masked.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_its_user_its_query_values_and_its_fragment() {
        let url: Url = "https://ada:secret@example.com/v1/charges?key=sk_live&page=2#top"
            .parse()
            .expect("a valid URL");

        assert_eq!(
            masked_url(&url),
            "https://REDACTED:REDACTED@example.com/v1/charges?key=REDACTED&page=REDACTED"
        );
    }

    #[test]
    fn a_plain_url_stays_as_it_is() {
        let url: Url = "http://127.0.0.1:8081/reservations"
            .parse()
            .expect("a valid URL");

        assert_eq!(masked_url(&url), "http://127.0.0.1:8081/reservations");
    }
}
