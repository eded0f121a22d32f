//! The HTTP server edge: a tower layer that makes one SERVER span of each request.
//!
//! Names, attributes and status follow the stable HTTP conventions of OpenTelemetry
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server>).
//!
//! | question | answer |
//! |---|---|
//! | name | `{method} {http.route}`, `{method}` when no route matched, `HTTP` for a method that is not known; never the path |
//! | parent | the caller's `traceparent`; a header that is malformed or too long is as good as none |
//! | status | Error for 5xx, for a panic, and for a body that fails; 4xx is the caller's mistake and stays unset |
//! | end | when the last byte of the body was handed over, not when the handler returned |
//! | cancelled | a caller that went away leaves `error.type` = `cancelled` and status Unset: no fault of the server |
//! | query | names are kept, every value is `REDACTED` |
//! | `client.address` | the peer of the socket; forwarding headers are not believed |
//! | silent | `/health`, `/ready`, `/metrics`, and everything under [`untraced`](crate::untraced) |
//!
//! Each answer bears the trace id in the header `x-trace-id`, so that a person with curl can
//! look the request up, sampled or not. The duration of every request, sampled or not, goes to
//! the histogram `http.server.request.duration`.

mod server_call;

pub(crate) mod request;

use std::borrow::Cow;
use std::error::Error;
use std::task::Poll;

use http::{Request, Response};
use opentelemetry::Context;
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry_semantic_conventions::metric;
use tower::{Layer, Service};

use self::server_call::ServerCall;
use crate::call::{self, CallBody, CallFuture, Guard};
use crate::propagation;

/// Paths that machines poll. They make no spans and no measurements.
const SILENT_PATHS: [&str; 3] = ["/health", "/ready", "/metrics"];

/// Makes the layer that traces every request of an axum `Router`.
///
/// Add it with `Router::layer` after the routes, so that the route is known when the span
/// starts, and after `telemetry::init`, so that measurements reach the meter provider.
///
/// # Example
///
/// ```
/// use axum::{Router, routing::get};
///
/// # async fn example() -> std::io::Result<()> {
/// let app = Router::new()
///     .route("/orders/{id}", get(|| async { "an order" }))
///     .layer(telemetry::http_server::layer());
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// axum::serve(listener, app).await?;
/// # Ok(())
/// # }
/// ```
pub fn layer() -> HttpServerLayer {
    HttpServerLayer {
        duration: call::duration_histogram(
            metric::HTTP_SERVER_REQUEST_DURATION,
            "Duration of HTTP server requests.",
        ),
    }
}

/// The layer made by [`layer`].
#[derive(Clone, Debug)]
pub struct HttpServerLayer {
    duration: Histogram<f64>,
}

impl<S> Layer<S> for HttpServerLayer {
    type Service = HttpServer<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpServer {
            inner,
            duration: self.duration.clone(),
        }
    }
}

/// A service whose requests are traced.
#[derive(Clone, Debug)]
pub struct HttpServer<S> {
    inner: S,
    duration: Histogram<f64>,
}

impl<S> HttpServer<S> {
    fn guard<B>(&self, request: &Request<B>) -> Option<Guard<ServerCall>> {
        if SILENT_PATHS.contains(&request.uri().path())
            || Context::is_current_telemetry_suppressed()
        {
            return None;
        }
        let method = request::known_method(request.method());
        let name: Cow<'static, str> = match request::route(request) {
            Some(route) => format!("{} {route}", request::name_of_method(method)).into(),
            None => request::name_of_method(method).into(),
        };
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Server)
            .with_attributes(request::attributes(request, method));
        let context = call::start(builder, &propagation::extract(request.headers()));
        let call = ServerCall::new(request, method, self.duration.clone());
        Some(Guard::new(context, call))
    }
}

impl<S, B, R> Service<Request<B>> for HttpServer<S>
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
