//! Serves one listener: HTTP/1.1 or HTTP/2 by what the client speaks first, with limits
//! on slow clients and on connections, and a bounded graceful stop.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_http::timeout::TimeoutLayer;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From connecting, or from the last answer, to a complete request head.
    head: Duration,
    /// From a request's head to its answer's head; reading the body counts.
    request: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            request: Duration::from_secs(30),
        }
    }
}

const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// What requests in hand get when tracebox stops.
const DRAIN: Duration = Duration::from_secs(3);
const MAX_CONNECTIONS: usize = 1024;

pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    patience: Patience,
    mut stop: watch::Receiver<bool>,
) {
    let app = app.layer(TimeoutLayer::with_status_code(
        http::StatusCode::REQUEST_TIMEOUT,
        patience.request,
    ));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let stopping = stop.clone();
    let mut stopped = pin!(async move {
        // An error says that the sender is gone: stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    loop {
        let place = tokio::select! {
            () = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            Ok(place) = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let app = app.clone();
                let stopping = stopping.clone();
                connections.spawn(async move {
                    connection(stream, app, patience, stopping).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to come back.
                tracing::warn!(%error, "could not accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(DRAIN, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
    connections.shutdown().await;
}

async fn connection(
    stream: TcpStream,
    app: Router,
    patience: Patience,
    stop: watch::Receiver<bool>,
) {
    let protocol = timeout(patience.head, protocol(&stream));
    let protocol = tokio::select! {
        protocol = protocol => protocol,
        () = stopped(stop.clone()) => return,
    };
    // Small answers must not wait for the peer's acknowledgement.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(stream);
    let service = TowerToHyperService::new(app);
    match protocol {
        Ok(Ok(Protocol::Http1)) => {
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(patience.head);
            let mut connection = pin!(builder.serve_connection(io, service));
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stopped(stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            log(served);
        }
        Ok(Ok(Protocol::Http2)) => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEP_ALIVE)
                .keep_alive_timeout(KEEP_ALIVE)
                .max_concurrent_streams(256);
            let mut connection = pin!(builder.serve_connection(io, service));
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stopped(stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            log(served);
        }
        // The client left, or said nothing in time.
        Ok(Err(_)) | Err(_) => {}
    }
}

enum Protocol {
    Http1,
    Http2,
}

/// HTTP/2 with prior knowledge begins with `PRI `, no HTTP/1.1 method does.
async fn protocol(stream: &TcpStream) -> std::io::Result<Protocol> {
    const PREFACE: &[u8] = b"PRI ";
    let mut start = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut start).await?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if start[..length] != PREFACE[..length] {
            return Ok(Protocol::Http1);
        }
        if length == PREFACE.len() {
            return Ok(Protocol::Http2);
        }
        // Peeking answers at once with what is there: give the rest time to come.
        sleep(Duration::from_millis(5)).await;
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn log(served: hyper::Result<()>) {
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended early");
    }
}

/// Runs work that keeps a core busy away from the threads that serve connections.
pub(crate) async fn busy<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let mut task = JoinSet::new();
    task.spawn_blocking(work);
    task.join_next()
        .await
        .expect("the set holds the task just spawned")
        .unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}

#[cfg(test)]
mod tests {
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Sends `start` to a server of little patience, then nothing; answers what came back
    /// until the server closed the connection.
    async fn answer_to(start: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", post(|_: String| async { "read" }));
        let patience = Patience {
            head: Duration::from_millis(200),
            request: Duration::from_millis(100),
        };
        let (_stop, stopping) = watch::channel(false);
        let mut server = JoinSet::new();
        server.spawn(serve(listener, app, patience, stopping));

        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(start).await.unwrap();
        let mut answer = Vec::new();
        // A reset instead of an orderly end is an end as well.
        let _ = timeout(Duration::from_secs(20), client.read_to_end(&mut answer))
            .await
            .expect("the server gives up on a slow client");
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_or_stops_in_its_head_is_dropped() {
        for start in ["", "PR", "PO", "POST / HTTP/1.1\r\nhost: x\r\n"] {
            let answer = answer_to(start.as_bytes()).await;
            assert!(!answer.contains("200 OK"), "{start:?}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_client_that_stops_in_its_body_is_told_408() {
        let answer = answer_to(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nab").await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}
