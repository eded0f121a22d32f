//! A small gRPC service and its client, written by hand in place of generated code.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt as _, stream};
use http::uri::PathAndQuery;
use opentelemetry_sdk::trace::SpanData;
use telemetry::grpc_client::{self, Channel};
use telemetry::testing;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::Service;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Note {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

impl Note {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

type NoteStream = Pin<Box<dyn Stream<Item = Result<Note, Status>> + Send>>;

/// The service: what it does is told by the text it gets.
#[derive(Clone)]
struct Notes {
    /// Told each time a call begins to wait.
    waiting: Arc<Notify>,
}

impl NamedService for Notes {
    const NAME: &'static str = "test.Notes";
}

impl Service<http::Request<Body>> for Notes {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let waiting = self.waiting.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Note, Note>::default());
            Ok(match request.uri().path() {
                "/test.Notes/Say" => {
                    let say = tower::service_fn(move |note| say(note, waiting.clone()));
                    grpc.unary(say, request).await
                }
                "/test.Notes/Watch" => {
                    grpc.server_streaming(tower::service_fn(watch), request)
                        .await
                }
                "/test.Notes/Silent" => without_status(),
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// `status:N` fails with that code, `context` answers with the trace headers it got.
async fn say(request: Request<Note>, waiting: Arc<Notify>) -> Result<Response<Note>, Status> {
    let text = request.get_ref().text.clone();
    if let Some(code) = text.strip_prefix("status:") {
        let code = Code::from_i32(code.parse().unwrap());
        return match code {
            Code::Ok => Ok(Response::new(Note::new("done"))),
            _ => Err(Status::new(code, "as you wish")),
        };
    }
    match text.as_str() {
        "context" => Ok(Response::new(Note::new(received(&request)))),
        "panic" => panic!("careless"),
        "wait" => {
            waiting.notify_one();
            std::future::pending().await
        }
        _ => Ok(Response::new(Note::new(text))),
    }
}

/// Two notes, and then what the text says.
async fn watch(request: Request<Note>) -> Result<Response<NoteStream>, Status> {
    let notes = stream::iter([Ok(Note::new("one")), Ok(Note::new("two"))]);
    let end: NoteStream = match request.get_ref().text.as_str() {
        "fail" => Box::pin(stream::iter([Err(Status::internal("the feed broke"))])),
        "wait" => Box::pin(stream::pending()),
        "event" => Box::pin(stream::once(async {
            telemetry::event("price changed", []);
            Ok(Note::new("three"))
        })),
        _ => Box::pin(stream::empty()),
    };
    Ok(Response::new(Box::pin(notes.chain(end))))
}

fn received(request: &Request<Note>) -> String {
    ["traceparent", "baggage"]
        .iter()
        .filter_map(|name| {
            let value = request.metadata().get(*name)?.to_str().ok()?;
            Some(format!("{name}: {value}\n"))
        })
        .collect()
}

/// What a broken server or a proxy answers: no status anywhere.
fn without_status() -> http::Response<Body> {
    let mut answer = http::Response::new(Body::empty());
    answer.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/grpc"),
    );
    answer
}

/// Serves the notes, traced, on a free port, together with `/health`.
pub(crate) async fn serve() -> SocketAddr {
    serve_telling(Arc::default()).await
}

/// The same, and `waiting` is told when a call has begun to wait.
pub(crate) async fn serve_telling(waiting: Arc<Notify>) -> SocketAddr {
    testing::install();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app: Router = Routes::new(Notes { waiting })
        .into_axum_router()
        .route("/health", get(|| async { "up" }))
        .layer(telemetry::grpc_server::layer());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    telemetry::spawn_detached(async move { axum::serve(listener, app).await.unwrap() });
    address
}

pub(crate) fn channel(address: SocketAddr, timeout: Duration) -> Channel {
    let url = format!("http://{address}").parse().unwrap();
    grpc_client::channel(&url, timeout).unwrap()
}

/// What a generated client would be.
pub(crate) struct NotesClient(tonic::client::Grpc<Channel>);

impl NotesClient {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(tonic::client::Grpc::new(channel))
    }

    pub(crate) async fn connected() -> Self {
        Self::new(channel(serve().await, PATIENCE))
    }

    pub(crate) async fn say(&mut self, text: &str) -> Result<String, Status> {
        self.unary("/test.Notes/Say", text).await
    }

    pub(crate) async fn unary(&mut self, path: &str, text: &str) -> Result<String, Status> {
        let path = path.parse::<PathAndQuery>().unwrap();
        self.0.ready().await?;
        let codec = ProstCodec::<Note, Note>::default();
        let answer = self
            .0
            .unary(Request::new(Note::new(text)), path, codec)
            .await?;
        Ok(answer.into_inner().text)
    }

    pub(crate) async fn watch(&mut self, text: &str) -> Result<Streaming<Note>, Status> {
        let path = PathAndQuery::from_static("/test.Notes/Watch");
        self.0.ready().await?;
        let codec = ProstCodec::<Note, Note>::default();
        let answer = self
            .0
            .server_streaming(Request::new(Note::new(text)), path, codec)
            .await?;
        Ok(answer.into_inner())
    }
}

/// An attribute as text.
pub(crate) fn text(span: &SpanData, key: &str) -> Option<String> {
    testing::attribute(span, key).map(|value| value.as_str().into_owned())
}
