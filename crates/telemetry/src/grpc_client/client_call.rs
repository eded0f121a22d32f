//! What the CLIENT span of a gRPC call says, and the duration metric.

use std::error::Error;
use std::time::Instant;

use http::HeaderMap;
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue, StringValue};
use opentelemetry_semantic_conventions::attribute;
use tonic::{Code, Status};

use super::Server;
use crate::attributes::RETRY_ATTEMPT;
use crate::call::{Call, Ending};
use crate::error::{add_exception, mark_error};
use crate::grpc_server::GRPC;
use crate::grpc_server::code::{self, SeenCode};
use crate::retry::current_attempt;
use crate::span_guard::PANIC;

/// One call on its way to another service.
pub struct ClientCall {
    started: Instant,
    method: StringValue,
    server: Server,
    seen: SeenCode,
    duration: Histogram<f64>,
}

impl ClientCall {
    pub(super) fn new(method: StringValue, server: Server, duration: Histogram<f64>) -> Self {
        Self {
            started: Instant::now(),
            method,
            server,
            seen: SeenCode::default(),
            duration,
        }
    }

    /// The attributes known before the call is sent.
    pub(super) fn attributes(&self, parent: &Context) -> Vec<KeyValue> {
        let mut attributes = self.common();
        if let Some(attempt) = current_attempt(parent) {
            attributes.push(KeyValue::new(RETRY_ATTEMPT, i64::from(attempt)));
        }
        attributes
    }

    fn common(&self) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new(attribute::RPC_SYSTEM_NAME, GRPC));
        attributes.push(KeyValue::new(attribute::RPC_METHOD, self.method.clone()));
        attributes.push(KeyValue::new(
            attribute::SERVER_ADDRESS,
            self.server.address.clone(),
        ));
        if let Some(port) = self.server.port {
            attributes.push(KeyValue::new(attribute::SERVER_PORT, port));
        }
        attributes
    }
}

impl Call for ClientCall {
    fn head(&mut self, _context: &Context, head: &mut http::response::Parts) {
        self.seen.head(head);
    }

    fn trailers(&mut self, trailers: &HeaderMap) {
        self.seen.trailers(trailers);
    }

    fn end(self, context: &Context, ending: &Ending<'_>) {
        let span = context.span();
        let code = match ending {
            Ending::Complete => self.seen.at_end(),
            // A client may drop the answer once it has read the status.
            Ending::Dropped => self.seen.get().unwrap_or(Code::Cancelled),
            Ending::Failed(error) => {
                let code = code_of(*error);
                add_exception(&span, code::name(code), root_of(*error));
                code
            }
            Ending::Panicked => Code::Unknown,
        };
        let code_name = code::name(code);
        let error = match ending {
            Ending::Panicked => Some(PANIC),
            _ => (code != Code::Ok).then_some(code_name),
        };
        let code_attribute = KeyValue::new(attribute::RPC_RESPONSE_STATUS_CODE, code_name);
        span.set_attribute(code_attribute.clone());
        let mut attributes = self.common();
        attributes.push(code_attribute);
        if let Some(error) = error {
            // No description: the message of a status may quote the request.
            mark_error(&span, error, "");
            attributes.push(KeyValue::new(attribute::ERROR_TYPE, error));
        }
        self.duration
            .record(self.started.elapsed().as_secs_f64(), &attributes);
    }
}

/// The code of a call or a stream that the transport failed.
fn code_of(error: &(dyn Error + 'static)) -> Code {
    error
        .downcast_ref::<Status>()
        .map_or(Code::Unknown, Status::code)
}

/// The error below the status, whose own text repeats the code and the metadata.
fn root_of<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().unwrap_or(error)
}
