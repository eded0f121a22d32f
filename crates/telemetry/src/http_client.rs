//! The HTTP client edge: a reqwest client that makes one CLIENT span of each request it sends.
//!
//! Names, attributes and status follow the stable HTTP conventions of OpenTelemetry
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client>);
//! `url.template` is still in development there.
//!
//! | question | answer |
//! |---|---|
//! | name | `{method} {url.template}` when the request bears a [`UrlTemplate`], else `{method}` |
//! | status | Error for 4xx and 5xx (`error.type` is the status code) and for a transport that fails (`timeout`, `connect`, …) |
//! | end | when the body of the answer was read or dropped; without an answer, when the call failed or was given up |
//! | given up | a request dropped before its answer is an Error with `error.type` = `cancelled`: its work was not done |
//! | attempts | each attempt is its own span; from the second on it bears `http.request.resend_count` |
//! | query | names are kept, every value is `REDACTED`; user and password in a URL are `REDACTED` |
//! | silent | everything under [`untraced`](crate::untraced); nothing is sent along either |
//!
//! Redirects are not followed: an answer that points elsewhere is handed to the caller, so that
//! one span is one exchange with the host it names.

mod client_call;

use std::borrow::Cow;
use std::time::Duration;

use http::Extensions;
use opentelemetry::Context;
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry_semantic_conventions::metric;
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use reqwest_middleware::{ClientWithMiddleware, Middleware, Next};

use self::client_call::ClientCall;
use crate::call::{self, CallFuture, Guard};
use crate::http_server::request::{known_method, name_of_method};
use crate::propagation;

/// A reqwest client whose requests are traced.
pub type Client = ClientWithMiddleware;

/// How long a connection may take to open. A service that is up accepts within one round trip.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an unused connection is kept: less than the minute after which common balancers
/// close it, so that no request is written to a connection that is being closed.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How many unused connections to one host are kept.
const POOL_IDLE_CONNECTIONS: usize = 32;

const USER_AGENT: &str = concat!("spantree/", env!("CARGO_PKG_VERSION"));

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The settings of the client do not hold together on this machine.
    #[error("the HTTP client could not be built")]
    Build(#[source] reqwest::Error),
}

/// The route a request is meant for, such as `/orders/{id}`.
///
/// Put it into the extensions of a request to give its span a name that says more than the
/// method. It is a `&'static str` on purpose: a template with an id in it would make a name
/// for every order.
///
/// # Example
///
/// ```
/// use telemetry::http_client::{Client, UrlTemplate};
///
/// # async fn example(client: Client) -> Result<(), reqwest_middleware::Error> {
/// let answer = client
///     .post("http://127.0.0.1:8081/reservations")
///     .with_extension(UrlTemplate("/reservations"))
///     .send()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlTemplate(pub &'static str);

/// A client for our own services: the trace context and the baggage go with each request.
///
/// `timeout` bounds a whole request, its body included. A proxy named in the environment is
/// not used: our services are reached directly.
///
/// # Errors
///
/// [`ClientError::Build`] when reqwest refuses the settings.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// # fn example() -> Result<(), telemetry::http_client::ClientError> {
/// let inventory = telemetry::http_client::internal(Duration::from_secs(2))?;
/// # Ok(())
/// # }
/// ```
pub fn internal(timeout: Duration) -> Result<Client, ClientError> {
    build(timeout, Recipient::Ours)
}

/// A client for somebody else's service: its spans are ours, and nothing about them is sent.
///
/// Neither `traceparent` nor `baggage` leaves the process, because a trace id and a tenant are
/// nobody else's business. `timeout` bounds a whole request, its body included.
///
/// # Errors
///
/// [`ClientError::Build`] when reqwest refuses the settings.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// # fn example() -> Result<(), telemetry::http_client::ClientError> {
/// let processor = telemetry::http_client::third_party(Duration::from_secs(3))?;
/// # Ok(())
/// # }
/// ```
pub fn third_party(timeout: Duration) -> Result<Client, ClientError> {
    build(timeout, Recipient::ThirdParty)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recipient {
    Ours,
    ThirdParty,
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the place that adds the client spans"
)]
fn build(timeout: Duration, recipient: Recipient) -> Result<Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(POOL_IDLE_CONNECTIONS)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(USER_AGENT);
    if recipient == Recipient::Ours {
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(ClientError::Build)?;
    let tracing = Tracing {
        recipient,
        duration: call::duration_histogram(
            metric::HTTP_CLIENT_REQUEST_DURATION,
            "Duration of HTTP client requests.",
        ),
    };
    Ok(reqwest_middleware::ClientBuilder::new(client)
        .with(tracing)
        .build())
}

struct Tracing {
    recipient: Recipient,
    duration: Histogram<f64>,
}

#[async_trait::async_trait]
impl Middleware for Tracing {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if Context::is_current_telemetry_suppressed() {
            return next.run(request, extensions).await;
        }
        let parent = Context::current();
        let template = extensions.get::<UrlTemplate>().copied();
        let call = ClientCall::new(&request, template, self.duration.clone());
        let builder = SpanBuilder::from_name(name(&request, template))
            .with_kind(SpanKind::Client)
            .with_attributes(call.attributes(&request, &parent));
        let context = call::start(builder, &parent);
        if self.recipient == Recipient::Ours {
            propagation::inject(&context, request.headers_mut());
        }
        let exchange = async move { next.run(request, extensions).await.map(unwrapped) };
        CallFuture::new(exchange, Some(Guard::new(context, call)))
            .await
            .map(|answer| Response::from(answer.map(Body::wrap)))
    }
}

fn name(request: &Request, template: Option<UrlTemplate>) -> Cow<'static, str> {
    let method = name_of_method(known_method(request.method()));
    match template {
        Some(UrlTemplate(template)) => format!("{method} {template}").into(),
        None => method.into(),
    }
}

/// The answer as an `http::Response`, with the URL where reqwest looks for it on the way back.
fn unwrapped(answer: Response) -> http::Response<Body> {
    let (with_url, ()) = http::Response::builder()
        .url(answer.url().clone())
        .body(())
        .unwrap_or_default()
        .into_parts();
    let mut answer = http::Response::from(answer);
    answer.extensions_mut().extend(with_url.extensions);
    answer
}
