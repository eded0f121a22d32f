//! Listen, serve, drain: the order in which every service stops.

use std::{
    future::{Future, IntoFuture},
    io::Write,
    net::SocketAddr,
    pin::pin,
    time::Duration,
};

use anyhow::Context;
use axum::{Router, serve::ListenerExt};
use tokio::net::{TcpListener, TcpSocket};

use crate::Background;

/// How long requests in flight may take to end after the stop signal.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Connections that may wait to be accepted. The runtime's default of 128 refuses callers when
/// a few hundred come at once.
const BACKLOG: u32 = 1024;

/// Binds the address that a service listens on and says it on stdout, in one line, so that
/// whoever started the service with port 0 learns the port.
///
/// # Errors
/// When the address cannot be bound: it says which, and what to change.
pub async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = open(listen).with_context(|| {
        format!("cannot listen on {listen}; choose another address with --listen")
    })?;
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "listening on {address}").context("cannot write to stdout")?;
    tracing::info!(%address, "listening");
    Ok(listener)
}

fn open(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A service that restarts takes its port back at once.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop`, then stops in order: no new connections, finish the requests, stop the
/// background work. Both waits are bounded.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    background: Background,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let drain = background.draining();
    // Small answers must not wait for more bytes to fill a packet with.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
    });
    let server = axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(drain.clone().cancelled_owned())
    .into_future();
    let mut server = pin!(server);

    tokio::select! {
        ended = &mut server => ended.context("the listener failed")?,
        () = stop => {
            tracing::info!("stopping: finishing the requests in flight");
            drain.cancel();
            if tokio::time::timeout(DRAIN_LIMIT, server).await.is_err() {
                tracing::warn!(limit = ?DRAIN_LIMIT, "requests in flight did not end in time and are dropped");
            }
        }
    }
    if !background.stop(DRAIN_LIMIT).await {
        tracing::warn!(limit = ?DRAIN_LIMIT, "background work did not end in time and is dropped");
    }
    Ok(())
}
