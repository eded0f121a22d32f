//! Streams of rows: one that tells a span about them, and one that owns its connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{
    Stream, StreamExt as _, TryStreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream::BoxStream,
};
use sqlx::{
    Either, Error, Executor as _,
    postgres::{PgQueryResult, PgRow},
};
use tokio::sync::mpsc;

use super::{
    pool::PgPool,
    span::{Pending, StatementSpan},
    statement::Statement,
};

/// What a statement answers: its rows, and at the end of each statement its result.
pub(super) type Step = Either<PgQueryResult, PgRow>;

/// Rows with the span of their statement, which begins with the first poll.
pub(super) struct TracedRows<'e> {
    pending: Option<Pending>,
    span: Option<StatementSpan>,
    rows: BoxStream<'e, Result<Step, Error>>,
}

impl<'e> TracedRows<'e> {
    pub(super) fn new(pending: Option<Pending>, rows: BoxStream<'e, Result<Step, Error>>) -> Self {
        Self {
            pending,
            span: None,
            rows,
        }
    }
}

impl Stream for TracedRows<'_> {
    type Item = Result<Step, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(pending) = self.pending.take() {
            self.span = Some(pending.start());
        }
        let step = ready!(self.rows.poll_next_unpin(cx));
        match (&step, &mut self.span) {
            (Some(Ok(Either::Left(result))), Some(span)) => span.result(result),
            (Some(Ok(Either::Right(_))), Some(span)) => span.row(),
            (Some(Err(error)), span) => {
                if let Some(span) = span.take() {
                    span.failed(error);
                }
            }
            (None, span) => {
                if let Some(span) = span.take() {
                    span.done();
                }
            }
            (Some(Ok(_)), None) => {}
        }
        Poll::Ready(step)
    }
}

/// The rows of a statement on a connection of the pool. The connection goes back when the stream
/// is dropped.
///
/// The rows borrow the connection, so both live in one future, which hands the rows out through
/// a channel of one place; stream and future are polled together, by the same task.
pub(super) struct PoolRows<'e> {
    work: Option<BoxFuture<'e, ()>>,
    steps: mpsc::Receiver<Result<Step, Error>>,
}

impl PoolRows<'_> {
    pub(super) fn new(pool: PgPool, statement: Statement) -> Self {
        let (sender, steps) = mpsc::channel(1);
        let work = async move {
            let copied = async {
                let mut connection = pool.acquire().await?;
                let mut rows = connection.fetch_many(statement);
                while let Some(step) = rows.try_next().await? {
                    if sender.send(Ok(step)).await.is_err() {
                        break;
                    }
                }
                Ok(())
            };
            if let Err(error) = copied.await {
                // Nobody reads any more: then nobody wants to know either.
                let _unread = sender.send(Err(error)).await;
            }
        };
        Self {
            work: Some(work.boxed()),
            steps,
        }
    }
}

impl Stream for PoolRows<'_> {
    type Item = Result<Step, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(work) = &mut self.work
            && work.poll_unpin(cx).is_ready()
        {
            self.work = None;
        }
        self.steps.poll_recv(cx)
    }
}
