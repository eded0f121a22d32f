//! Reads as much of a statement as its name needs: the operation and its first table.
//!
//! Not a parser of SQL: what it does not know it passes over, and it never fails.

use super::lexer::Token;

/// Subqueries and `WITH` queries inside one another are looked into this deep.
const MAX_DEPTH: usize = 8;
/// A statement that cannot be read is named after the system, as the conventions say.
const NAMELESS: &str = "postgresql";

/// One statement as it was understood.
#[derive(Debug, Default, Clone)]
pub(super) struct Statement {
    pub(super) operation: Option<&'static str>,
    locks: bool,
    pub(super) collection: Option<String>,
}

impl Statement {
    pub(super) fn text(&self) -> String {
        let mut parts = Vec::with_capacity(3);
        parts.push(self.operation.unwrap_or(NAMELESS));
        if self.locks {
            parts.push("FOR UPDATE");
        }
        if let Some(collection) = &self.collection {
            parts.push(collection);
        }
        parts.join(" ")
    }

    fn changes_rows(&self) -> bool {
        matches!(
            self.operation,
            Some("INSERT" | "UPDATE" | "DELETE" | "MERGE")
        )
    }
}

/// The operations that have a name. Only these become attribute values, so the set is closed.
const OPERATIONS: [&str; 39] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "TRUNCATE",
    "COPY",
    "LOCK",
    "CREATE",
    "ALTER",
    "DROP",
    "CALL",
    "VALUES",
    "TABLE",
    "EXPLAIN",
    "ANALYZE",
    "VACUUM",
    "REINDEX",
    "CLUSTER",
    "REFRESH",
    "GRANT",
    "REVOKE",
    "COMMENT",
    "SET",
    "RESET",
    "SHOW",
    "NOTIFY",
    "LISTEN",
    "UNLISTEN",
    "BEGIN",
    "START",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "PREPARE",
    "EXECUTE",
    "DISCARD",
    "DO",
];

/// Reads a statement, or the first of several.
pub(super) fn read(tokens: &[Token<'_>]) -> Statement {
    read_within(tokens, &[], 0)
}

fn read_within(tokens: &[Token<'_>], outer_ctes: &[String], depth: usize) -> Statement {
    let mut at = 0;
    while tokens.get(at) == Some(&Token::Mark('(')) {
        at += 1;
    }
    let mut ctes = Ctes {
        names: outer_ctes.to_vec(),
        bodies: Vec::new(),
    };
    if tokens.get(at).is_some_and(|token| token.is("WITH")) {
        at = ctes.read(tokens, at + 1);
    }
    let Some(operation) = tokens
        .get(at)
        .and_then(|token| OPERATIONS.into_iter().find(|name| token.is(name)))
    else {
        return Statement::default();
    };
    let rest = &tokens[at + 1..];
    let mut statement = Statement {
        operation: Some(operation),
        ..Statement::default()
    };
    match operation {
        "SELECT" => {
            statement.locks = locks_rows(rest);
            statement.collection = first_table(rest, &ctes.names);
            if statement.collection.is_none() && depth < MAX_DEPTH {
                statement = inner_statement(statement, rest, &ctes, depth);
            }
        }
        "INSERT" | "MERGE" | "COPY" => statement.collection = name_after(rest, &["INTO"]),
        "UPDATE" | "TABLE" => statement.collection = name_after(rest, &["ONLY"]),
        "DELETE" => statement.collection = name_after(rest, &["FROM", "ONLY"]),
        "TRUNCATE" | "LOCK" => statement.collection = name_after(rest, &["TABLE", "ONLY"]),
        "NOTIFY" | "LISTEN" | "UNLISTEN" => statement.collection = name_after(rest, &[]),
        "CREATE" | "ALTER" | "DROP" => statement.collection = table_of_definition(rest),
        _ => {}
    }
    statement
}

/// A `SELECT` that reads no table itself is named after the `WITH` query or subquery that does
/// the work; one that changes rows comes first.
fn inner_statement(
    outer: Statement,
    rest: &[Token<'_>],
    ctes: &Ctes<'_, '_>,
    depth: usize,
) -> Statement {
    let inner: Vec<Statement> = ctes
        .bodies
        .iter()
        .copied()
        .chain(subqueries(rest))
        .map(|body| read_within(body, &ctes.names, depth + 1))
        .collect();
    let chosen = inner
        .iter()
        .find(|statement| statement.changes_rows())
        .or_else(|| {
            inner
                .iter()
                .find(|statement| statement.collection.is_some())
        });
    match chosen {
        Some(chosen) => Statement {
            locks: chosen.locks || outer.locks,
            ..chosen.clone()
        },
        None => outer,
    }
}

/// The `WITH` queries of a statement.
struct Ctes<'t, 'a> {
    names: Vec<String>,
    bodies: Vec<&'t [Token<'a>]>,
}

impl<'t, 'a> Ctes<'t, 'a> {
    /// Reads from behind `WITH`; gives the place of the main verb.
    fn read(&mut self, tokens: &'t [Token<'a>], mut at: usize) -> usize {
        if tokens.get(at).is_some_and(|token| token.is("RECURSIVE")) {
            at += 1;
        }
        while let Some(name) = tokens.get(at).and_then(identifier) {
            self.names.push(name);
            at += 1;
            // The list of columns, `AS`, `NOT MATERIALIZED`, and then the body.
            let mut after_as = false;
            while let Some(token) = tokens.get(at) {
                if *token == Token::Mark('(') {
                    let end = closing(tokens, at);
                    if after_as {
                        self.bodies.push(&tokens[at + 1..end]);
                        at = end + 1;
                        break;
                    }
                    at = end + 1;
                } else {
                    after_as |= token.is("AS");
                    at += 1;
                }
            }
            match tokens.get(at) {
                Some(Token::Mark(',')) => at += 1,
                _ => break,
            }
        }
        at.min(tokens.len())
    }
}

/// The place of the parenthesis that closes the one at `open`, or the end.
fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// Places of the tokens that stand in no parenthesis, and of the opening ones that do not either.
fn top_level(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            Token::Mark('(') => {
                places.push(at);
                at = closing(tokens, at) + 1;
            }
            // The parenthesis around the whole statement, or the next statement.
            Token::Mark(')' | ';') => break,
            _ => {
                places.push(at);
                at += 1;
            }
        }
    }
    places
}

fn locks_rows(tokens: &[Token<'_>]) -> bool {
    let top = top_level(tokens);
    top.windows(2).any(|pair| {
        let next = &tokens[pair[1]];
        tokens[pair[0]].is("FOR")
            && ["UPDATE", "SHARE", "NO", "KEY"]
                .iter()
                .any(|word| next.is(word))
    })
}

/// The first table behind `FROM` or `JOIN` that is neither a `WITH` query nor a function.
fn first_table(tokens: &[Token<'_>], ctes: &[String]) -> Option<String> {
    let top = top_level(tokens);
    let mut expects_table = false;
    let mut in_from = false;
    for (place, &at) in top.iter().enumerate() {
        let token = &tokens[at];
        let previous = place.checked_sub(1).map(|before| &tokens[top[before]]);
        if token.is("FROM") {
            // `a IS DISTINCT FROM b` compares.
            if !previous.is_some_and(|token| token.is("DISTINCT")) {
                in_from = true;
                expects_table = true;
            }
            continue;
        }
        if in_from && (token.is("JOIN") || *token == Token::Mark(',')) {
            expects_table = true;
            continue;
        }
        if [
            "WHERE",
            "GROUP",
            "ORDER",
            "LIMIT",
            "UNION",
            "EXCEPT",
            "INTERSECT",
            "FOR",
            "WINDOW",
        ]
        .iter()
        .any(|word| token.is(word))
        {
            in_from = false;
            expects_table = false;
            continue;
        }
        if token.is("ONLY") || token.is("LATERAL") {
            continue;
        }
        if expects_table {
            expects_table = false;
            if let Some((name, end)) = path(tokens, at) {
                let is_function = tokens.get(end) == Some(&Token::Mark('('));
                let is_cte = end == at + 1 && ctes.contains(&name);
                if !is_function && !is_cte {
                    return Some(name);
                }
            }
        }
    }
    None
}

/// The bodies in parentheses that are queries themselves.
fn subqueries<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    top_level(tokens)
        .into_iter()
        .filter(|at| tokens[*at] == Token::Mark('('))
        .filter(|at| {
            tokens
                .get(at + 1)
                .is_some_and(|token| token.is("SELECT") || token.is("WITH"))
        })
        .map(|at| &tokens[at + 1..closing(tokens, at)])
        .collect()
}

fn name_after(tokens: &[Token<'_>], skip: &[&str]) -> Option<String> {
    let at = tokens
        .iter()
        .position(|token| !skip.iter().any(|word| token.is(word)))?;
    path(tokens, at).map(|(name, _)| name)
}

/// `CREATE TABLE IF NOT EXISTS a`, `ALTER TABLE a`, `CREATE INDEX i ON a (b)`.
fn table_of_definition(tokens: &[Token<'_>]) -> Option<String> {
    let at = tokens.iter().take(8).position(|token| {
        ["TABLE", "VIEW", "SCHEMA", "SEQUENCE", "TYPE", "DATABASE"]
            .iter()
            .any(|kind| token.is(kind))
    });
    match at {
        Some(at) => name_after(&tokens[at + 1..], &["IF", "NOT", "EXISTS", "ONLY"]),
        None => {
            let on = tokens.iter().take(16).position(|token| token.is("ON"))?;
            name_after(&tokens[on + 1..], &["ONLY"])
        }
    }
}

/// The last part of `schema.table`, and the place behind it.
fn path(tokens: &[Token<'_>], mut at: usize) -> Option<(String, usize)> {
    let mut name = identifier(tokens.get(at)?)?;
    at += 1;
    while tokens.get(at) == Some(&Token::Mark('.')) {
        match tokens.get(at + 1).and_then(identifier) {
            Some(part) => name = part,
            None => break,
        }
        at += 2;
    }
    Some((name, at))
}

fn identifier(token: &Token<'_>) -> Option<String> {
    match token {
        Token::Word(word) => Some(word.to_lowercase()),
        Token::Quoted(name) if !name.is_empty() => Some(name.clone()),
        Token::Quoted(_) | Token::Mark(_) | Token::Value => None,
    }
}
