//! The name of a statement: `SELECT inventory`, `INSERT payments`, `SELECT FOR UPDATE inventory`.
//!
//! It is `db.query.summary` of the semantic conventions, which also names the span
//! (<https://opentelemetry.io/docs/specs/semconv/db/database-spans/#name>): low cardinality,
//! the operation and the table it is about, never a value.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    grammar::read,
    lexer::{leading_comment, tokens},
};

/// The conventions' limit for `db.query.summary`.
const MAX_SUMMARY: usize = 255;
/// Statements are written in code, so there are few. A service that makes up statements
/// as it goes gets each of them read anew instead of a growing memory.
const MAX_CACHED: usize = 1024;

/// What is said about a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    /// `db.query.summary` and the name of the span.
    pub(super) text: String,
    /// `db.operation.name`; absent when the statement does not begin with a word.
    pub(super) operation: Option<String>,
    /// `db.collection.name`: the table, folded to lower case as PostgreSQL does, without its schema.
    pub(super) collection: Option<String>,
}

/// Summaries of the statements seen so far.
#[derive(Debug, Default)]
pub(super) struct Summaries {
    seen: RwLock<HashMap<Box<str>, Arc<Summary>>>,
}

impl Summaries {
    pub(super) fn of(&self, sql: &str) -> Arc<Summary> {
        if let Some(summary) = self
            .seen
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(sql)
        {
            return Arc::clone(summary);
        }
        let summary = Arc::new(summarize(sql));
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MAX_CACHED {
            seen.insert(sql.into(), Arc::clone(&summary));
        }
        summary
    }
}

/// Reads a statement. Never fails: what is not understood is named by its first word.
pub(super) fn summarize(sql: &str) -> Summary {
    let tokens = tokens(sql);
    let statement = read(&tokens);
    let text = override_text(sql).unwrap_or_else(|| bounded(statement.text()));
    Summary {
        text,
        operation: statement.operation.map(str::to_owned),
        collection: statement.collection,
    }
}

/// `/* summary: stock of a cart */ SELECT …` names a statement that reads badly by itself.
fn override_text(sql: &str) -> Option<String> {
    let text = leading_comment(sql)?.strip_prefix("summary:")?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then(|| bounded(text))
}

fn bounded(text: String) -> String {
    if text.chars().count() <= MAX_SUMMARY {
        return text;
    }
    text.chars().take(MAX_SUMMARY).collect()
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
