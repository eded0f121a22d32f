//! One traced call, shared by the HTTP and gRPC edges: the future that waits for the head of
//! the answer, then the body. The span lives exactly as long as both, whatever ends them.

use std::error::Error;
use std::pin::Pin;
use std::task::{Poll, ready};

use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::{SpanBuilder, TraceContextExt, Tracer};
use opentelemetry::{Context, InstrumentationScope, global};
use opentelemetry_semantic_conventions::SCHEMA_URL;
use pin_project_lite::pin_project;

/// The buckets that the conventions prescribe for request durations, in seconds.
///
/// Source: `http.server.request.duration` in the HTTP metrics conventions; the RPC metrics
/// conventions prescribe the same list.
const DURATION_BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// How a call came to its end.
#[derive(Debug)]
pub enum Ending<'a> {
    /// The body was sent or read to its end.
    Complete,
    /// The transport or the body failed.
    Failed(&'a (dyn Error + 'static)),
    /// The future or the body was dropped before its end.
    Dropped,
    /// The code inside panicked.
    Panicked,
}

/// What one protocol says about a call at each of its turns.
pub trait Call: Send + 'static {
    /// Called when the head of the answer is there, before anyone sees it.
    fn head(&mut self, context: &Context, head: &mut http::response::Parts);

    /// Called when the answer has trailers.
    fn trailers(&mut self, _trailers: &HeaderMap) {}

    /// Called exactly once, however the call ends; the span is ended right after.
    fn end(self, context: &Context, ending: &Ending<'_>);
}

/// Starts the span of a call as a child of `parent` and returns the context that holds it.
pub(crate) fn start(builder: SpanBuilder, parent: &Context) -> Context {
    parent.with_span(crate::tracer().build_with_context(builder, parent))
}

/// A histogram of call durations in seconds with the buckets of the conventions.
pub(crate) fn duration_histogram(name: &'static str, what: &'static str) -> Histogram<f64> {
    let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build();
    global::meter_with_scope(scope)
        .f64_histogram(name)
        .with_description(what)
        .with_unit("s")
        .with_boundaries(DURATION_BOUNDARIES.to_vec())
        .build()
}

/// Ends the span of a call exactly once, also when nobody is left to say how it went.
pub(crate) struct Guard<C: Call> {
    context: Context,
    call: Option<C>,
    inside: bool,
}

impl<C: Call> Guard<C> {
    pub(crate) fn new(context: Context, call: C) -> Self {
        Self {
            context,
            call: Some(call),
            inside: false,
        }
    }

    /// Runs one poll with the context attached.
    ///
    /// `inside` stays set when the poll unwinds. That tells a panic from a cancellation also
    /// when the value is dropped later, behind somebody's `catch_unwind`.
    pub(crate) fn run<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        self.inside = true;
        let attached = self.context.clone().attach();
        let polled = poll();
        drop(attached);
        self.inside = false;
        polled
    }

    fn head(&mut self, head: &mut http::response::Parts) {
        if let Some(call) = &mut self.call {
            call.head(&self.context, head);
        }
    }

    fn end(&mut self, ending: &Ending<'_>) {
        if let Some(call) = self.call.take() {
            call.end(&self.context, ending);
            self.context.span().end();
        }
    }
}

impl<C: Call> Drop for Guard<C> {
    fn drop(&mut self) {
        let ending = if self.inside {
            Ending::Panicked
        } else {
            Ending::Dropped
        };
        self.end(&ending);
    }
}

pin_project! {
    /// The future of a traced call. Without a guard it passes everything through.
    pub struct CallFuture<F, C: Call> {
        #[pin]
        inner: F,
        guard: Option<Guard<C>>,
    }
}

impl<F, C: Call> CallFuture<F, C> {
    pub(crate) fn new(inner: F, guard: Option<Guard<C>>) -> Self {
        Self { inner, guard }
    }
}

impl<F, C, B, E> Future for CallFuture<F, C>
where
    F: Future<Output = Result<Response<B>, E>>,
    C: Call,
    B: Body,
    E: Error + 'static,
{
    type Output = Result<Response<CallBody<B, C>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inner = this.inner;
        let answer = match this.guard {
            Some(guard) => ready!(guard.run(|| inner.poll(cx))),
            None => ready!(inner.poll(cx)),
        };
        let mut guard = this.guard.take();
        Poll::Ready(match answer {
            Ok(answer) => {
                let (mut head, body) = answer.into_parts();
                if let Some(guard) = &mut guard {
                    guard.head(&mut head);
                    if body.is_end_stream() {
                        guard.end(&Ending::Complete);
                    }
                }
                Ok(Response::from_parts(head, CallBody { inner: body, guard }))
            }
            Err(error) => {
                if let Some(guard) = &mut guard {
                    guard.end(&Ending::Failed(&error));
                }
                Err(error)
            }
        })
    }
}

pin_project! {
    /// The body of a traced call. The span ends with the last frame.
    pub struct CallBody<B, C: Call> {
        #[pin]
        inner: B,
        guard: Option<Guard<C>>,
    }
}

impl<B, C> Body for CallBody<B, C>
where
    B: Body,
    B::Error: Error + 'static,
    C: Call,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let mut inner = this.inner;
        let Some(guard) = this.guard else {
            return inner.poll_frame(cx);
        };
        let frame = ready!(guard.run(|| inner.as_mut().poll_frame(cx)));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(trailers), Some(call)) = (frame.trailers_ref(), &mut guard.call) {
                    call.trailers(trailers);
                }
                // hyper stops asking once the body says that it is over.
                if inner.is_end_stream() {
                    guard.end(&Ending::Complete);
                }
            }
            Some(Err(error)) => guard.end(&Ending::Failed(error)),
            None => guard.end(&Ending::Complete),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests;
