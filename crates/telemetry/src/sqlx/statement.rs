//! A query taken apart: its text can be read before it is handed on to sqlx.

use sqlx::{
    Execute, Postgres, SqlStr,
    error::BoxDynError,
    postgres::{PgArguments, PgStatement},
};

/// [`Execute::sql`] consumes the query, so this keeps all four of its parts.
pub(super) struct Statement {
    sql: SqlStr,
    prepared: Option<PgStatement>,
    arguments: Option<Result<Option<PgArguments>, BoxDynError>>,
    persistent: bool,
}

impl Statement {
    pub(super) fn of<'q>(mut query: impl Execute<'q, Postgres>) -> Self {
        let prepared = query.statement().cloned();
        // The order in which sqlx's own connection asks for them.
        let arguments = query.take_arguments();
        let persistent = query.persistent();
        Self {
            sql: query.sql(),
            prepared,
            arguments: Some(arguments),
            persistent,
        }
    }

    pub(super) fn text(&self) -> &str {
        self.sql.as_str()
    }
}

impl Execute<'_, Postgres> for Statement {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.prepared.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
