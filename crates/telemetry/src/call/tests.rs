use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};

use super::*;

/// Notes how it ended.
#[derive(Clone, Default)]
struct Probe(Arc<Mutex<Vec<&'static str>>>);

impl Probe {
    fn seen(&self) -> Vec<&'static str> {
        self.0.lock().expect("no test panics with the lock").clone()
    }

    fn note(&self, what: &'static str) {
        self.0
            .lock()
            .expect("no test panics with the lock")
            .push(what);
    }
}

impl Call for Probe {
    fn head(&mut self, _: &Context, _: &mut http::response::Parts) {
        self.note("head");
    }

    fn end(self, _: &Context, ending: &Ending<'_>) {
        self.note(match ending {
            Ending::Complete => "complete",
            Ending::Failed(_) => "failed",
            Ending::Dropped => "dropped",
            Ending::Panicked => "panicked",
        });
    }
}

fn traced<F>(inner: F, probe: &Probe) -> CallFuture<F, Probe> {
    let guard = Guard::new(Context::new(), probe.clone());
    CallFuture::new(inner, Some(guard))
}

async fn answer() -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    Ok(Response::new(Full::from("body")))
}

#[tokio::test]
async fn a_call_ends_once_with_its_last_frame() {
    let probe = Probe::default();

    let answer = traced(answer(), &probe).await.expect("it cannot fail");
    assert_eq!(probe.seen(), ["head"]);
    answer.into_body().collect().await.expect("it cannot fail");

    assert_eq!(probe.seen(), ["head", "complete"]);
}

#[tokio::test]
async fn a_body_that_is_empty_ends_with_the_head() {
    let probe = Probe::default();
    let empty = async { Ok::<_, Infallible>(Response::new(http_body_util::Empty::<&[u8]>::new())) };

    let _answer = traced(empty, &probe).await;

    assert_eq!(probe.seen(), ["head", "complete"]);
}

#[tokio::test]
async fn a_future_dropped_before_its_answer_is_dropped() {
    let probe = Probe::default();

    drop(traced(answer(), &probe));

    assert_eq!(probe.seen(), ["dropped"]);
}

#[tokio::test]
async fn a_body_dropped_before_its_end_is_dropped() {
    let probe = Probe::default();

    drop(traced(answer(), &probe).await);

    assert_eq!(probe.seen(), ["head", "dropped"]);
}

#[tokio::test]
async fn a_panic_is_told_from_a_cancellation_behind_catch_unwind() {
    let probe = Probe::default();
    let careless = async {
        if probe.seen().is_empty() {
            panic!("careless");
        }
        answer().await
    };
    let mut call = Box::pin(traced(careless, &probe));

    let caught = AssertUnwindSafe(&mut call).catch_unwind().await;
    assert!(caught.is_err());
    assert!(!std::thread::panicking());
    drop(call);

    assert_eq!(probe.seen(), ["panicked"]);
}

#[tokio::test]
async fn a_transport_that_fails_is_failed() {
    let probe = Probe::default();
    let broken = async { Err::<Response<Full<bytes::Bytes>>, _>(std::io::Error::other("gone")) };

    assert!(traced(broken, &probe).await.is_err());

    assert_eq!(probe.seen(), ["failed"]);
}
