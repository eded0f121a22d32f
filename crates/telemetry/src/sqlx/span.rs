//! The span of one statement, from its first poll to its last row.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use opentelemetry::{
    Context, KeyValue,
    trace::{SpanBuilder, SpanKind},
};
use opentelemetry_semantic_conventions::attribute::{
    DB_CLIENT_CONNECTION_POOL_NAME, DB_COLLECTION_NAME, DB_OPERATION_NAME, DB_QUERY_SUMMARY,
    DB_QUERY_TEXT, DB_RESPONSE_RETURNED_ROWS, DB_RESPONSE_STATUS_CODE,
};
use sqlx::{Error, postgres::PgQueryResult};

use super::{database::Database, summary::Summary};
use crate::{SpanGuard, attributes::TENANT_ID, query_text_enabled, tenant::tenant_of};

/// A wait for a connection that is shorter than this is no wait.
const REAL_WAIT: Duration = Duration::from_millis(1);

/// A statement that has not been started: the caller's context, and what to call it.
pub(super) struct Pending {
    database: Arc<Database>,
    summary: Arc<Summary>,
    text: Option<String>,
    parent: Context,
}

impl Pending {
    /// `None` where telemetry is suppressed.
    pub(super) fn new(database: &Arc<Database>, sql: &str) -> Option<Self> {
        let parent = Context::current();
        if parent.is_telemetry_suppressed() {
            return None;
        }
        Some(Self {
            summary: database.summaries.of(sql),
            database: Arc::clone(database),
            text: shown_text(sql, query_text_enabled()),
            parent,
        })
    }

    pub(super) fn start(self) -> StatementSpan {
        let mut identity = self.database.attributes();
        identity.push(KeyValue::new(DB_QUERY_SUMMARY, self.summary.text.clone()));
        if let Some(operation) = &self.summary.operation {
            identity.push(KeyValue::new(DB_OPERATION_NAME, operation.clone()));
        }
        if let Some(collection) = &self.summary.collection {
            identity.push(KeyValue::new(DB_COLLECTION_NAME, collection.clone()));
        }
        let mut attributes = identity.clone();
        if let Some(text) = self.text {
            attributes.push(KeyValue::new(DB_QUERY_TEXT, text));
        }
        if let Some(tenant) = tenant_of(&self.parent) {
            attributes.push(KeyValue::new(TENANT_ID, tenant));
        }
        let builder = SpanBuilder::from_name(self.summary.text.clone())
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        StatementSpan {
            guard: Some(SpanGuard::start(builder, &self.parent)),
            started: Instant::now(),
            database: self.database,
            identity,
            rows: Rows::default(),
            outcome: Outcome::Open,
        }
    }
}

/// `db.query.text`: the statement in development, nothing elsewhere. Parameters are `$1` in it.
fn shown_text(sql: &str, enabled: bool) -> Option<String> {
    enabled.then(|| sql.trim().to_owned())
}

/// A statement in progress. Dropping it ends the span.
pub(super) struct StatementSpan {
    guard: Option<SpanGuard>,
    started: Instant,
    database: Arc<Database>,
    identity: Vec<KeyValue>,
    rows: Rows,
    outcome: Outcome,
}

#[derive(Default)]
struct Rows {
    returned: u64,
    affected: u64,
    /// Whether the server has answered anything yet.
    answered: bool,
}

enum Outcome {
    Open,
    Done,
    Failed {
        error_type: String,
        sqlstate: Option<String>,
        description: String,
    },
}

impl StatementSpan {
    pub(super) fn row(&mut self) {
        self.rows.returned += 1;
        self.rows.answered = true;
    }

    /// The statement went through and found nothing.
    pub(super) fn no_row(&mut self) {
        self.rows.answered = true;
    }

    pub(super) fn result(&mut self, result: &PgQueryResult) {
        self.rows.affected += result.rows_affected();
        self.rows.answered = true;
    }

    pub(super) fn done(mut self) {
        self.outcome = Outcome::Done;
    }

    pub(super) fn failed(mut self, error: &Error) {
        self.outcome = Outcome::Failed {
            error_type: error_type(error).into_owned(),
            sqlstate: sqlstate(error),
            description: describe(error, query_text_enabled()),
        };
    }

    pub(super) fn finish<T>(self, result: &Result<T, Error>) {
        match result {
            Ok(_) => self.done(),
            Err(error) => self.failed(error),
        }
    }
}

impl Drop for StatementSpan {
    fn drop(&mut self) {
        let Some(mut guard) = self.guard.take() else {
            return;
        };
        let rows = if self.rows.returned > 0 {
            self.rows.returned
        } else {
            self.rows.affected
        };
        if self.rows.answered {
            guard.span().set_attribute(KeyValue::new(
                DB_RESPONSE_RETURNED_ROWS,
                i64::try_from(rows).unwrap_or(i64::MAX),
            ));
        }
        let error_type = match std::mem::replace(&mut self.outcome, Outcome::Done) {
            Outcome::Done => {
                guard.settle();
                None
            }
            // The reader has seen enough rows: that is no failure.
            Outcome::Open if self.rows.answered => {
                guard.settle();
                None
            }
            // Dropped before any answer: the guard says that it was cancelled.
            Outcome::Open => Some("cancelled".to_owned()),
            Outcome::Failed {
                error_type,
                sqlstate,
                description,
            } => {
                if let Some(sqlstate) = sqlstate {
                    guard
                        .span()
                        .set_attribute(KeyValue::new(DB_RESPONSE_STATUS_CODE, sqlstate));
                }
                guard.fail(error_type.clone(), description);
                self.record(Some(&error_type));
                return;
            }
        };
        drop(guard);
        self.record(error_type.as_deref());
    }
}

impl StatementSpan {
    fn record(&mut self, error_type: Option<&str>) {
        self.database.metrics.record_operation(
            self.started.elapsed(),
            std::mem::take(&mut self.identity),
            error_type,
        );
    }
}

/// The wait for a connection. Becomes a span only when it was real: longer than a
/// millisecond, or in vain.
pub(super) struct Wait<'a> {
    database: &'a Database,
    parent: Context,
    since: SystemTime,
    started: Instant,
    open: bool,
}

impl<'a> Wait<'a> {
    pub(super) fn start(database: &'a Database) -> Self {
        Self {
            database,
            parent: Context::current(),
            since: SystemTime::now(),
            started: Instant::now(),
            open: true,
        }
    }

    pub(super) fn finish<T>(mut self, result: &Result<T, Error>) {
        self.open = false;
        let waited = self.started.elapsed();
        if self.parent.is_telemetry_suppressed() {
            return;
        }
        let metrics = &self.database.metrics;
        match result {
            Ok(_) => {
                metrics.record_wait(&self.database.pool_name, waited);
                if waited > REAL_WAIT {
                    self.span().end();
                }
            }
            Err(error) => {
                if matches!(error, Error::PoolTimedOut) {
                    metrics.count_timeout(&self.database.pool_name);
                }
                self.span()
                    .fail(error_type(error), describe(error, query_text_enabled()));
            }
        }
    }

    fn span(&self) -> SpanGuard {
        let mut attributes = self.database.attributes();
        attributes.push(KeyValue::new(
            DB_CLIENT_CONNECTION_POOL_NAME,
            self.database.pool_name.clone(),
        ));
        if let Some(tenant) = tenant_of(&self.parent) {
            attributes.push(KeyValue::new(TENANT_ID, tenant));
        }
        let builder = SpanBuilder::from_name("pool.acquire")
            .with_kind(SpanKind::Internal)
            .with_start_time(self.since)
            .with_attributes(attributes);
        SpanGuard::start(builder, &self.parent)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let cancelled = self.open && self.started.elapsed() > REAL_WAIT;
        if cancelled && !self.parent.is_telemetry_suppressed() {
            // Never settled, so it ends as cancelled.
            drop(self.span());
        }
    }
}

fn sqlstate(error: &Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// The SQLSTATE, or a class of what went wrong on this side of the connection.
fn error_type(error: &Error) -> Cow<'static, str> {
    if let Some(sqlstate) = sqlstate(error) {
        return Cow::Owned(sqlstate);
    }
    Cow::Borrowed(match error {
        Error::PoolTimedOut => "pool_timeout",
        Error::PoolClosed => "pool_closed",
        Error::Io(_) => "io",
        Error::Tls(_) => "tls",
        Error::Protocol(_) => "protocol",
        Error::Configuration(_) | Error::InvalidArgument(_) => "configuration",
        Error::Encode(_) | Error::TypeNotFound { .. } => "encode",
        Error::Decode(_)
        | Error::ColumnDecode { .. }
        | Error::ColumnNotFound(_)
        | Error::ColumnIndexOutOfBounds { .. } => "decode",
        Error::RowNotFound => "row_not_found",
        Error::WorkerCrashed => "worker_crashed",
        Error::Database(_) => "database",
        _ => "other",
    })
}

/// The description of the status. What the server says may quote a value of the statement, so
/// only development sees it.
fn describe(error: &Error, enabled: bool) -> String {
    match error.as_database_error() {
        Some(database) if !enabled => {
            let code = database.code().unwrap_or(Cow::Borrowed("unknown"));
            match database.constraint() {
                Some(constraint) => format!("SQLSTATE {code}, constraint {constraint}"),
                None => format!("SQLSTATE {code}"),
            }
        }
        Some(database) => database.message().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_statement_is_shown_in_development_only() {
        let sql = " SELECT * FROM inventory WHERE sku = $1 ";
        assert_eq!(shown_text(sql, true).as_deref(), Some(sql.trim()));
        assert_eq!(shown_text(sql, false), None);
    }

    #[test]
    fn failures_on_this_side_have_a_class() {
        for (error, class) in [
            (Error::PoolTimedOut, "pool_timeout"),
            (Error::PoolClosed, "pool_closed"),
            (Error::Io(std::io::ErrorKind::BrokenPipe.into()), "io"),
            (Error::Protocol("x".to_owned()), "protocol"),
        ] {
            assert_eq!(error_type(&error), class);
            assert_eq!(sqlstate(&error), None);
        }
    }
}
