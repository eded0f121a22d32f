//! A transaction whose statements are traced, and its end with them.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use futures_util::{future::BoxFuture, stream::BoxStream};
use sqlx::{
    Describe, Error, Execute, Executor, Postgres, SqlStr,
    pool::PoolConnection,
    postgres::{PgRow, PgStatement, PgTypeInfo},
};

use super::{
    connection::{Held, PgConnection},
    database::Database,
    rows::Step,
    span::Pending,
};

/// A transaction begun by [`PgPool::begin`](super::PgPool::begin).
///
/// Both `&mut tx` and `&mut *tx` are an [`Executor`]. Dropped without
/// [`commit`](Self::commit), it is rolled back.
///
/// ```no_run
/// # async fn example(pool: telemetry::sqlx::PgPool) -> Result<(), sqlx::Error> {
/// let mut tx = pool.begin().await?;
/// sqlx::query("INSERT INTO orders (id) VALUES (1)").execute(&mut *tx).await?;
/// sqlx::query("INSERT INTO outbox (order_id) VALUES (1)").execute(&mut *tx).await?;
/// tx.commit().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Transaction {
    connection: PgConnection,
}

impl Transaction {
    pub(super) async fn begin(
        connection: PoolConnection<Postgres>,
        database: Arc<Database>,
    ) -> Result<Self, Error> {
        let pending = Pending::new(&database, "BEGIN");
        let begun = sqlx::Transaction::begin(connection, None).await;
        if let (Err(error), Some(pending)) = (&begun, pending) {
            pending.start().failed(error);
        }
        Ok(Self {
            connection: PgConnection::new(Held::InTransaction(begun?), database),
        })
    }

    /// Makes the changes permanent; a span `COMMIT`.
    pub async fn commit(self) -> Result<(), Error> {
        let (held, database) = self.connection.into_parts();
        let span = Pending::new(&database, "COMMIT").map(Pending::start);
        let result = match held {
            Held::InTransaction(transaction) => transaction.commit().await,
            Held::Alone(_) => Ok(()),
        };
        if let Some(span) = span {
            span.finish(&result);
        }
        result
    }

    /// Takes the changes back; a span `ROLLBACK`.
    pub async fn rollback(self) -> Result<(), Error> {
        let (held, database) = self.connection.into_parts();
        let span = Pending::new(&database, "ROLLBACK").map(Pending::start);
        let result = match held {
            Held::InTransaction(transaction) => transaction.rollback().await,
            Held::Alone(_) => Ok(()),
        };
        if let Some(span) = span {
            span.finish(&result);
        }
        result
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl<'c> Executor<'c> for &'c mut Transaction {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection.fetch_many(query)
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection.fetch_optional(query)
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.connection.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.connection.describe(sql)
    }
}
