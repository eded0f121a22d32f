//! One connection of the pool, whose statements are traced.

use std::{fmt, sync::Arc};

use futures_util::{future::BoxFuture, stream::BoxStream};
use sqlx::{
    Describe, Error, Execute, Executor, Postgres, SqlStr,
    pool::PoolConnection,
    postgres::{PgRow, PgStatement, PgTypeInfo},
};

use super::{
    database::Database,
    rows::{Step, TracedRows},
    span::Pending,
    statement::Statement,
};

/// A connection of a [`PgPool`](super::PgPool), by itself or with a transaction open on it.
///
/// `&mut PgConnection` is an [`Executor`]. Take it where a function shall work inside and
/// outside of a transaction:
///
/// ```
/// use telemetry::sqlx::PgConnection;
///
/// async fn insert_payment(connection: &mut PgConnection, id: i64) -> Result<(), sqlx::Error> {
///     sqlx::query("INSERT INTO payments (id) VALUES ($1)")
///         .bind(id)
///         .execute(connection)
///         .await?;
///     Ok(())
/// }
/// ```
pub struct PgConnection {
    held: Held,
    database: Arc<Database>,
}

/// Who gives the connection back: the pool's guard, or the transaction that owns it.
pub(super) enum Held {
    Alone(PoolConnection<Postgres>),
    InTransaction(sqlx::Transaction<'static, Postgres>),
}

impl PgConnection {
    pub(super) fn new(held: Held, database: Arc<Database>) -> Self {
        Self { held, database }
    }

    /// sqlx's own connection. What goes through it is not traced.
    pub fn inner(&mut self) -> &mut sqlx::PgConnection {
        match &mut self.held {
            Held::Alone(connection) => connection,
            Held::InTransaction(transaction) => transaction,
        }
    }

    pub(super) fn into_parts(self) -> (Held, Arc<Database>) {
        (self.held, self.database)
    }
}

impl fmt::Debug for PgConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgConnection").finish_non_exhaustive()
    }
}

impl<'c> Executor<'c> for &'c mut PgConnection {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let statement = Statement::of(query);
        let pending = Pending::new(&self.database, statement.text());
        let rows = self.inner().fetch_many(statement);
        Box::pin(TracedRows::new(pending, rows))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let statement = Statement::of(query);
        let pending = Pending::new(&self.database, statement.text());
        let row = self.inner().fetch_optional(statement);
        Box::pin(async move {
            let span = pending.map(Pending::start);
            let result = row.await;
            if let Some(mut span) = span {
                match &result {
                    Ok(Some(_)) => span.row(),
                    Ok(None) => span.no_row(),
                    Err(_) => {}
                }
                span.finish(&result);
            }
            result
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.inner().prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.inner().describe(sql)
    }
}
