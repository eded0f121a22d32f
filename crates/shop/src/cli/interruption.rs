//! Ctrl-C, SIGTERM and a closed terminal: all mean stop, in order.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Listens for signals while it is held.
#[derive(Debug)]
pub(crate) struct Interruption {
    /// Cancelled when somebody asks this program to stop.
    pub(crate) token: CancellationToken,
    _listeners: JoinSet<()>,
}

impl Interruption {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let token = CancellationToken::new();
        let mut listeners = JoinSet::new();
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            let signals = signal(kind).context("cannot listen for signals")?;
            listeners.spawn(cancel_on(signals, token.clone()));
        }
        Ok(Self {
            token,
            _listeners: listeners,
        })
    }
}

async fn cancel_on(mut signals: Signal, token: CancellationToken) {
    while signals.recv().await.is_some() {
        token.cancel();
    }
}
