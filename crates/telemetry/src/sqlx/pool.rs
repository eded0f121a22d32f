//! The pool of connections, and the executor that borrows one of them per statement.

use std::{sync::Arc, time::Duration};

use futures_util::{
    future::{BoxFuture, try_join_all},
    stream::BoxStream,
};
use sqlx::{
    ConnectOptions as _, Connection as _, Describe, Error, Execute, Executor, Postgres, SqlStr,
    pool::PoolConnection,
    postgres::{
        PgConnectOptions, PgListener, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo,
    },
};

use super::{
    connection::{Held, PgConnection},
    database::Database,
    rows::{PoolRows, Step},
    span::Wait,
    statement::Statement,
    transaction::Transaction,
};

/// A connection used within this time is not tested before it is used again.
const FRESH: Duration = Duration::from_secs(2);

/// How large a pool is and how long it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    /// Most connections open at a time.
    pub max_connections: u32,
    /// Connections opened by [`PgPool::connect`] and kept open when nothing happens. Two by
    /// default: sqlx takes a moment to take a connection back, and without a second one the next
    /// statement would open one.
    pub min_connections: u32,
    /// Longest wait for a connection before [`sqlx::Error::PoolTimedOut`]. Keep it below the
    /// deadline of a request, or the pool's error is never seen.
    pub acquire_timeout: Duration,
    /// A connection unused for this long is closed.
    pub idle_timeout: Option<Duration>,
    /// A connection is replaced after this long.
    pub max_lifetime: Option<Duration>,
    /// `application_name` in `pg_stat_activity`. `None`: the one of the URL, else the name of
    /// the program.
    pub application_name: Option<String>,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_connections: 10,
            min_connections: 2,
            acquire_timeout: Duration::from_secs(5),
            idle_timeout: Some(Duration::from_secs(600)),
            max_lifetime: Some(Duration::from_secs(1800)),
            application_name: None,
        }
    }
}

impl PoolSettings {
    fn options(&self) -> PgPoolOptions {
        PgPoolOptions::new()
            .max_connections(self.max_connections)
            .min_connections(self.min_connections)
            .acquire_timeout(self.acquire_timeout)
            .idle_timeout(self.idle_timeout)
            .max_lifetime(self.max_lifetime)
            // sqlx would ask the server before every statement whether it is still there. A
            // connection that was just used is; one that rested may have been cut.
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| {
                Box::pin(
                    async move { Ok(metadata.idle_for < FRESH || connection.ping().await.is_ok()) },
                )
            })
    }

    fn connect_options(&self, options: PgConnectOptions) -> PgConnectOptions {
        let options = match &self.application_name {
            Some(name) => options.application_name(name),
            None if options.get_application_name().is_some() => options,
            None => match program_name() {
                Some(name) => options.application_name(&name),
                None => options,
            },
        };
        // sqlx's own statement log makes per-layer filters of tracing-subscriber lose the span
        // and the log record that follow (transact-rs/sqlx#3751). The spans say what it said.
        options.disable_statement_logging()
    }
}

fn program_name() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    Some(program.file_stem()?.to_string_lossy().into_owned())
}

/// A pool of PostgreSQL connections whose statements are traced. Cheap to clone.
///
/// `&PgPool` is an [`Executor`]: pass it to `sqlx::query(…).fetch_all(&pool)` and to the
/// `query!` macros as you would sqlx's pool. See the [module](crate::sqlx) for what the spans say.
#[derive(Debug, Clone)]
pub struct PgPool {
    pool: sqlx::PgPool,
    database: Arc<Database>,
}

impl PgPool {
    /// Connects, and opens the connections it shall keep.
    ///
    /// The schema that spans name in `db.namespace` is the first of the URL's `search_path`
    /// (`?options=-csearch_path%3Dinventory`), else `public`.
    ///
    /// # Errors
    /// When the URL cannot be read or the server does not let us in.
    pub async fn connect(url: &str, settings: PoolSettings) -> Result<Self, Error> {
        Self::connect_with(url.parse()?, settings).await
    }

    /// [`connect`](Self::connect) with options instead of a URL.
    ///
    /// # Errors
    /// When the server does not let us in.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the pool behind the traced one"
    )]
    pub async fn connect_with(
        options: PgConnectOptions,
        settings: PoolSettings,
    ) -> Result<Self, Error> {
        let options = settings.connect_options(options);
        let database = Arc::new(Database::new(&options));
        let pool = settings.options().connect_with(options).await?;
        let kept = settings.min_connections.min(settings.max_connections);
        for mut connection in try_join_all((0..kept).map(|_| pool.acquire())).await? {
            // Given back before this returns, so that the first statement finds it.
            connection.return_to_pool().await;
        }
        Ok(Self { pool, database })
    }

    /// A pool that connects when the first statement needs it.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn connect_lazy(url: &str, settings: PoolSettings) -> Result<Self, Error> {
        Ok(Self::connect_lazy_with(url.parse()?, settings))
    }

    /// [`connect_lazy`](Self::connect_lazy) with options instead of a URL.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the same shape as the other three ways to connect"
    )]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the pool behind the traced one"
    )]
    pub fn connect_lazy_with(options: PgConnectOptions, settings: PoolSettings) -> Self {
        let options = settings.connect_options(options);
        Self {
            database: Arc::new(Database::new(&options)),
            pool: settings.options().connect_lazy_with(options),
        }
    }

    /// sqlx's own pool, for migrations and other work that nobody wants to see in a trace.
    pub fn inner(&self) -> &sqlx::PgPool {
        &self.pool
    }

    /// Closes every connection once it is given back. Later statements fail with
    /// [`sqlx::Error::PoolClosed`].
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Takes a connection out of the pool until it is dropped. A wait of more than a millisecond
    /// becomes a span `pool.acquire`.
    ///
    /// # Errors
    /// [`sqlx::Error::PoolTimedOut`] when none comes free in time, or why none can be opened.
    pub async fn acquire(&self) -> Result<PgConnection, Error> {
        let connection = self.wait().await?;
        Ok(PgConnection::new(
            Held::Alone(connection),
            Arc::clone(&self.database),
        ))
    }

    /// Begins a transaction on a connection of its own.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), or when the server refuses `BEGIN`.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        let connection = self.wait().await?;
        Transaction::begin(connection, Arc::clone(&self.database)).await
    }

    /// A listener for `NOTIFY` on a connection of its own, outside of this pool. Not traced: it
    /// waits for ever.
    ///
    /// ```no_run
    /// # async fn example(pool: telemetry::sqlx::PgPool) -> Result<(), sqlx::Error> {
    /// let mut listener = pool.listener().await?;
    /// listener.listen("outbox").await?;
    /// let woken = listener.recv().await?;
    /// # let _ = woken;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server does not let us in.
    #[expect(
        clippy::disallowed_methods,
        reason = "a listener needs a pool, and nobody wants its statements in a trace"
    )]
    pub async fn listener(&self) -> Result<PgListener, Error> {
        let alone = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.pool.options().get_acquire_timeout())
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with((*self.pool.connect_options()).clone());
        PgListener::connect_with(&alone).await
    }

    async fn wait(&self) -> Result<PoolConnection<Postgres>, Error> {
        let wait = Wait::start(&self.database);
        let connection = self.pool.acquire().await;
        wait.finish(&connection);
        connection
    }
}

/// For tests that are handed a pool. Connections it opens from now on no longer log statements.
impl From<sqlx::PgPool> for PgPool {
    fn from(pool: sqlx::PgPool) -> Self {
        let options = (*pool.connect_options()).clone();
        let database = Arc::new(Database::new(&options));
        pool.set_connect_options(options.disable_statement_logging());
        Self { pool, database }
    }
}

impl<'p> Executor<'p> for &PgPool {
    type Database = Postgres;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<PgQueryResult, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        let statement = Statement::of(query);
        Box::pin(async move { pool.acquire().await?.execute(statement).await })
    }

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(PoolRows::new(self.clone(), Statement::of(query)))
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        let statement = Statement::of(query);
        Box::pin(async move { pool.acquire().await?.fetch_all(statement).await })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        let statement = Statement::of(query);
        Box::pin(async move { pool.acquire().await?.fetch_optional(statement).await })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.prepare_with(sql, parameters).await })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.describe(sql).await })
    }
}
