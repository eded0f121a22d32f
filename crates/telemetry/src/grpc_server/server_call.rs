//! What the SERVER span of a gRPC call says about the answer, and the duration metric.

use std::time::Instant;

use http::HeaderMap;
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue, StringValue};
use opentelemetry_semantic_conventions::attribute;
use tonic::Code;

use super::code::{self, SeenCode};
use super::{GRPC, OTHER_METHOD};
use crate::call::{Call, Ending};
use crate::error::{add_exception, mark_error};
use crate::span_guard::PANIC;

/// One call on its way through a server.
pub struct ServerCall {
    started: Instant,
    method: StringValue,
    seen: SeenCode,
    duration: Histogram<f64>,
}

impl ServerCall {
    pub(super) fn new(method: StringValue, duration: Histogram<f64>) -> Self {
        Self {
            started: Instant::now(),
            method,
            seen: SeenCode::default(),
            duration,
        }
    }
}

impl Call for ServerCall {
    fn head(&mut self, context: &Context, head: &mut http::response::Parts) {
        self.seen.head(head);
        // The router has never heard of this method, so the client made its name up.
        if self.seen.get() == Some(Code::Unimplemented) {
            self.method = OTHER_METHOD.into();
            context.span().update_name(OTHER_METHOD);
        }
    }

    fn trailers(&mut self, trailers: &HeaderMap) {
        self.seen.trailers(trailers);
    }

    fn end(self, context: &Context, ending: &Ending<'_>) {
        let span = context.span();
        let code = match ending {
            Ending::Complete => self.seen.at_end(),
            // The client may drop the call once it has read the status.
            Ending::Dropped => self.seen.get().unwrap_or(Code::Cancelled),
            Ending::Failed(error) => {
                add_exception(&span, code::name(Code::Unknown), *error);
                Code::Unknown
            }
            Ending::Panicked => Code::Unknown,
        };
        let code_name = code::name(code);
        let error = match ending {
            Ending::Panicked => Some(PANIC),
            _ => code::is_server_error(code).then_some(code_name),
        };
        let mut attributes = vec![
            KeyValue::new(attribute::RPC_METHOD, self.method),
            KeyValue::new(attribute::RPC_RESPONSE_STATUS_CODE, code_name),
        ];
        span.set_attributes(attributes.iter().cloned());
        if let Some(error) = error {
            // No description: the message of a status may quote the request.
            mark_error(&span, error, "");
            attributes.push(KeyValue::new(attribute::ERROR_TYPE, error));
        }
        attributes.push(KeyValue::new(attribute::RPC_SYSTEM_NAME, GRPC));
        self.duration
            .record(self.started.elapsed().as_secs_f64(), &attributes);
    }
}
