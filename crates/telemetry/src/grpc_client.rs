//! The gRPC client edge: a channel that makes one CLIENT span of each call, unary or
//! streaming.
//!
//! Names, attributes and status follow the gRPC conventions of OpenTelemetry 1.42, a release
//! candidate (<https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>).
//!
//! | question | answer |
//! |---|---|
//! | name | `package.Service/Method` |
//! | status | Error for every code except `OK`; `error.type` is the code |
//! | code | from the trailers, or from the headers when there is no message; a server that cannot be reached is `UNAVAILABLE`, a timeout `DEADLINE_EXCEEDED` |
//! | end | when the stream ends |
//! | given up | a call or a stream dropped before its end is `CANCELLED` and an Error |
//! | attempts | inside [`Retry`](crate::Retry) each attempt is its own span with `retry.attempt` |
//! | silent | everything under [`untraced`](crate::untraced); nothing is sent along either |

mod client_call;

use std::error::Error;
use std::task::Poll;
use std::time::Duration;

use futures_util::TryFutureExt;
use futures_util::future::MapErr;
use http::{Request, Response};
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry::{Context, StringValue};
use opentelemetry_semantic_conventions::metric;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::{self, Endpoint};
use tower::Service;
use url::Url;

use self::client_call::ClientCall;
use crate::call::{self, CallBody, CallFuture, Guard};
use crate::http_server::request;
use crate::propagation;

/// How long a connection may take to open. A service that is up accepts within one round trip.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often an unused connection is asked whether it is still alive, so that a call does not
/// have to find out.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

const USER_AGENT: &str = concat!("spantree/", env!("CARGO_PKG_VERSION"));

/// The channel could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The URL is not one of a gRPC service in plain text.
    #[error("the URL of a gRPC service looks like http://host:port, this one is `{0}`")]
    Url(Url),
    /// The settings of the channel do not hold together.
    #[error("the gRPC channel to {url} could not be built")]
    Endpoint {
        /// Where the channel was to lead.
        url: Url,
        /// What tonic found wrong.
        #[source]
        source: transport::Error,
    },
}

/// A traced channel to one of our own services. Cheap to clone; clones share the connection.
///
/// The trace context and the baggage go with each call.
#[derive(Clone, Debug)]
pub struct Channel {
    inner: transport::Channel,
    server: Server,
    duration: Histogram<f64>,
}

/// Where a channel leads, as its spans say it.
#[derive(Clone, Debug)]
struct Server {
    address: StringValue,
    port: Option<i64>,
}

/// Makes a channel that connects with the first call, and again after a broken connection.
///
/// `timeout` bounds the time until the head of an answer is there, so a stream may last longer.
/// Must be called inside a tokio runtime.
///
/// # Errors
///
/// [`ChannelError`] when `url` is not `http://host:port`.
///
/// # Example
///
/// ```no_run
/// # use std::time::Duration;
/// # struct PricingClient<T>(T);
/// # impl<T> PricingClient<T> { fn new(channel: T) -> Self { Self(channel) } }
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let url = "http://127.0.0.1:50051".parse()?;
/// let channel = telemetry::grpc_client::channel(&url, Duration::from_secs(2))?;
/// let pricing = PricingClient::new(channel);
/// # Ok(())
/// # }
/// ```
pub fn channel(url: &Url, timeout: Duration) -> Result<Channel, ChannelError> {
    let address = match (url.scheme(), url.host_str()) {
        ("http", Some(host)) => request::bare_host(host).to_owned().into(),
        _ => return Err(ChannelError::Url(url.clone())),
    };
    let inner = Endpoint::from_shared(url.to_string())
        .and_then(|endpoint| endpoint.user_agent(USER_AGENT))
        .map_err(|source| ChannelError::Endpoint {
            url: url.clone(),
            source,
        })?
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .connect_lazy();
    Ok(Channel {
        inner,
        server: Server {
            address,
            port: url.port_or_known_default().map(i64::from),
        },
        duration: call::duration_histogram(
            metric::RPC_CLIENT_CALL_DURATION,
            "Duration of RPC client calls.",
        ),
    })
}

impl Channel {
    fn guard(&self, request: &mut Request<Body>) -> Option<Guard<ClientCall>> {
        if Context::is_current_telemetry_suppressed() {
            return None;
        }
        let parent = Context::current();
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let call = ClientCall::new(
            method.clone().into(),
            self.server.clone(),
            self.duration.clone(),
        );
        let builder = SpanBuilder::from_name(method)
            .with_kind(SpanKind::Client)
            .with_attributes(call.attributes(&parent));
        let context = call::start(builder, &parent);
        propagation::inject(&context, request.headers_mut());
        Some(Guard::new(context, call))
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<CallBody<Body, ClientCall>>;
    type Error = Status;
    type Future = CallFuture<
        MapErr<transport::channel::ResponseFuture, fn(transport::Error) -> Status>,
        ClientCall,
    >;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx).map_err(status_of)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut guard = self.guard(&mut request);
        let future = match &mut guard {
            Some(guard) => guard.run(|| self.inner.call(request)),
            None => self.inner.call(request),
        };
        CallFuture::new(future.map_err(status_of as fn(_) -> _), guard)
    }
}

/// The status of a call that the transport failed.
///
/// tonic calls its own timeout `CANCELLED`. The caller did not cancel anything, so here it is
/// what the gRPC specification calls it.
fn status_of(error: transport::Error) -> Status {
    let outermost: &(dyn Error + 'static) = &error;
    let timed_out = std::iter::successors(Some(outermost), |error| (*error).source())
        .any(<dyn Error>::is::<tonic::TimeoutExpired>);
    if timed_out {
        Status::deadline_exceeded("the service did not answer in time")
    } else {
        Status::from_error(Box::new(error))
    }
}
