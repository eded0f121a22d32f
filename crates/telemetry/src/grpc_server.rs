//! The gRPC server edge: a tower layer that makes one SERVER span of each call, unary or
//! streaming.
//!
//! Names, attributes and status follow the gRPC conventions of OpenTelemetry 1.42, a release
//! candidate (<https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>).
//!
//! | question | answer |
//! |---|---|
//! | name | `package.Service/Method`; `_OTHER` when the answer is `UNIMPLEMENTED`, because then the client made the name up |
//! | parent | the caller's `traceparent`; a header that is malformed or too long is as good as none |
//! | status | Error for `UNKNOWN`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS` and for a panic; every other code tells the caller something and stays unset |
//! | code | from the trailers, or from the headers when there is no message; a stream without a status is `UNKNOWN` |
//! | end | when the stream ends, not when the method returned it |
//! | cancelled | a caller that went away is `CANCELLED` and no error |
//! | silent | requests that are not gRPC, `grpc.health.v1.Health`, and everything under [`untraced`](crate::untraced) |
//!
//! The duration of every call, sampled or not, goes to the histogram
//! `rpc.server.call.duration`.

mod server_call;

pub(crate) mod code;

use std::error::Error;
use std::task::Poll;

use http::header::CONTENT_TYPE;
use http::{Request, Response};
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::{attribute, metric};
use tower::{Layer, Service};

use self::server_call::ServerCall;
use crate::call::{self, CallBody, CallFuture, Guard};
use crate::http_server::request;
use crate::propagation;

/// The value of `rpc.system.name`.
pub(crate) const GRPC: &str = "grpc";

/// The method name of a call that no service knows.
const OTHER_METHOD: &str = "_OTHER";

/// The health check is polled by machines, like `/health`.
const HEALTH_SERVICE: &str = "/grpc.health.v1.Health/";

/// Makes the layer that traces the gRPC calls of a router.
///
/// Requests of another content type pass through untouched, so that `/health` and `/ready` can
/// be answered on the same port without spans.
///
/// # Example
///
/// ```
/// # async fn example(routes: tonic::service::Routes) -> std::io::Result<()> {
/// let app = routes
///     .into_axum_router()
///     .layer(telemetry::grpc_server::layer());
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:50051").await?;
/// axum::serve(listener, app).await?;
/// # Ok(())
/// # }
/// ```
pub fn layer() -> GrpcServerLayer {
    GrpcServerLayer {
        duration: call::duration_histogram(
            metric::RPC_SERVER_CALL_DURATION,
            "Duration of RPC server calls.",
        ),
    }
}

/// The layer made by [`layer`].
#[derive(Clone, Debug)]
pub struct GrpcServerLayer {
    duration: Histogram<f64>,
}

impl<S> Layer<S> for GrpcServerLayer {
    type Service = GrpcServer<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GrpcServer {
            inner,
            duration: self.duration.clone(),
        }
    }
}

/// A service whose gRPC calls are traced.
#[derive(Clone, Debug)]
pub struct GrpcServer<S> {
    inner: S,
    duration: Histogram<f64>,
}

impl<S> GrpcServer<S> {
    fn guard<B>(&self, request: &Request<B>) -> Option<Guard<ServerCall>> {
        if !is_grpc(request)
            || request.uri().path().starts_with(HEALTH_SERVICE)
            || Context::is_current_telemetry_suppressed()
        {
            return None;
        }
        let method = request.uri().path().trim_start_matches('/').to_owned();
        // `rpc.method` follows at the end: only the answer tells whether the name is known.
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new(attribute::RPC_SYSTEM_NAME, GRPC));
        request::addresses(request, &mut attributes);
        let builder = SpanBuilder::from_name(method.clone())
            .with_kind(SpanKind::Server)
            .with_attributes(attributes);
        let context = call::start(builder, &propagation::extract(request.headers()));
        let call = ServerCall::new(method.into(), self.duration.clone());
        Some(Guard::new(context, call))
    }
}

/// Whether a request is a gRPC call. gRPC-Web is not: its status stands in the body.
fn is_grpc<B>(request: &Request<B>) -> bool {
    request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

impl<S, B, R> Service<Request<B>> for GrpcServer<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Error + 'static,
    R: http_body::Body,
{
    type Response = Response<CallBody<R, ServerCall>>;
    type Error = S::Error;
    type Future = CallFuture<S::Future, ServerCall>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut guard = self.guard(&request);
        let future = match &mut guard {
            Some(guard) => guard.run(|| self.inner.call(request)),
            None => self.inner.call(request),
        };
        CallFuture::new(future, guard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_grpc_content_types_are_calls() {
        let of_type = |content_type: &str| {
            let request = Request::builder()
                .header(CONTENT_TYPE, content_type)
                .body(())
                .expect("a valid request");
            is_grpc(&request)
        };

        assert!(of_type("application/grpc"));
        assert!(of_type("application/grpc+proto"));
        assert!(of_type("application/grpc; charset=utf-8"));
        assert!(!of_type("application/grpc-web+proto"));
        assert!(!of_type("application/json"));
    }
}
