//! Labels of database and cache calls.

use crate::{Kind, Span};

/// `None` when the span is no database call.
pub(super) fn label(span: &Span) -> Option<String> {
    // The wait for a connection bears the database's attributes too, but asks nothing.
    if span.kind == Kind::Internal {
        return None;
    }
    let system = span
        .text("db.system.name")
        .or_else(|| span.text("db.system"))?;
    Some(match system {
        "redis" | "valkey" | "memcached" => key_value(system, span),
        "postgresql"
        | "cockroachdb"
        | "mysql"
        | "mariadb"
        | "sqlite"
        | "clickhouse"
        | "microsoft.sql_server"
        | "oracle.db"
        | "mssql"
        | "oracle" => sql(system, span),
        _ => other(system, span),
    })
}

/// `redis.Get inventory:item_42`, `redis.Mget inventory:item_1 (+2)`.
fn key_value(system: &str, span: &Span) -> String {
    let Some(operation) = operation(span) else {
        return format!("{system}.{}", span.name);
    };
    let text = span
        .text("db.query.text")
        .or_else(|| span.text("db.statement"));
    let rest = text
        .and_then(|text| without_operation(text, operation))
        .or_else(|| without_operation(summary(span), operation))
        .unwrap_or_default();
    let mut keys = rest.split_whitespace();
    let mut label = format!("{system}.{}", capitalised(operation));
    if let Some(key) = keys.next() {
        label.push(' ');
        label.push_str(key);
    }
    let more = if takes_many_keys(operation) {
        count(keys)
    } else {
        0
    };
    if more > 0 {
        label.push_str(&format!(" (+{more})"));
    }
    if let Some(commands) = span.int("db.operation.batch.size") {
        label.push_str(&format!(" (×{commands})"));
    }
    label
}

/// How many keys there are; a long list ends in `… 7 more`.
fn count<'a>(mut keys: impl Iterator<Item = &'a str>) -> usize {
    let shown = keys.by_ref().take_while(|&key| key != "…").count();
    let hidden = keys.next().and_then(|count| count.parse().ok());
    shown.saturating_add(hidden.unwrap_or(0))
}

/// For other commands what follows the key is a value, an expiry or a flag.
fn takes_many_keys(operation: &str) -> bool {
    [
        "MGET", "DEL", "UNLINK", "EXISTS", "TOUCH", "WATCH", "SUNION", "SINTER", "SDIFF", "PFCOUNT",
    ]
    .iter()
    .any(|name| name.eq_ignore_ascii_case(operation))
}

/// `postgres.Query SELECT … FROM inventory`, `postgres.Exec INSERT INTO payments`.
fn sql(system: &str, span: &Span) -> String {
    let system = if system == "postgresql" {
        "postgres"
    } else {
        system
    };
    let summary = summary(span);
    let operation = operation(span)
        .or_else(|| summary.split_whitespace().next())
        .unwrap_or_default()
        .to_ascii_uppercase();
    let (locks, tables) = tables(span, summary, &operation);
    let on = |verb: &str, tables: &str| match tables {
        "" => format!("{system}.{verb} {operation}"),
        tables => {
            let preposition = match operation.as_str() {
                "INSERT" | "REPLACE" | "MERGE" => "INTO ",
                "DELETE" => "FROM ",
                _ => "",
            };
            format!("{system}.{verb} {operation} {preposition}{tables}")
        }
    };
    match operation.as_str() {
        "SELECT" if !tables.is_empty() => {
            let locks = if locks { " FOR UPDATE" } else { "" };
            format!("{system}.Query SELECT … FROM {tables}{locks}")
        }
        "INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "MERGE" | "TRUNCATE" | "COPY" | "LOCK"
        | "CREATE" | "ALTER" | "DROP" => on("Exec", &tables),
        "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "SET" | "RESET"
        | "NOTIFY" | "LISTEN" | "UNLISTEN" | "VACUUM" | "ANALYZE" | "REFRESH" => {
            format!("{system}.Exec {}", or_else(summary, &operation))
        }
        _ => format!(
            "{system}.Query {}",
            or_else(or_else(summary, &operation), &span.name)
        ),
    }
}

/// Whether rows are locked, and the tables: the collection when it is told, else the
/// targets of the summary. A summary in a person's own words has no targets.
fn tables(span: &Span, summary: &str, operation: &str) -> (bool, String) {
    let targets = without_operation(summary, operation);
    let locked = targets.and_then(|targets| without_operation(targets, "FOR UPDATE"));
    let targets = locked.or(targets).unwrap_or_default();
    let tables = match span.text("db.collection.name") {
        Some(collection) if !collection.is_empty() => collection.to_owned(),
        _ => targets.split_whitespace().collect::<Vec<_>>().join(", "),
    };
    (locked.is_some(), tables)
}

/// `mongodb.Find orders`.
fn other(system: &str, span: &Span) -> String {
    let collection = span.text("db.collection.name").unwrap_or_default();
    match operation(span) {
        Some(operation) => format!("{system}.{} {collection}", capitalised(operation))
            .trim_end()
            .to_owned(),
        None => format!("{system}.Query {}", or_else(summary(span), &span.name)),
    }
}

fn operation(span: &Span) -> Option<&str> {
    span.text("db.operation.name")
        .or_else(|| span.text("db.operation"))
        .filter(|operation| !operation.is_empty())
}

fn summary(span: &Span) -> &str {
    span.text("db.query.summary").unwrap_or_default()
}

/// What follows the operation in a text that begins with it.
fn without_operation<'a>(text: &'a str, operation: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let head = text.get(..operation.len())?;
    let rest = &text[operation.len()..];
    let whole_word = rest.is_empty() || rest.starts_with(char::is_whitespace);
    (whole_word && head.eq_ignore_ascii_case(operation)).then(|| rest.trim())
}

fn or_else<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// `Get`, `Pipeline GET`.
fn capitalised(operation: &str) -> String {
    let (word, rest) = operation.split_at(operation.find(' ').unwrap_or(operation.len()));
    let mut characters = word.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    let word: String = first
        .chain(characters.flat_map(char::to_lowercase))
        .collect();
    word + rest
}

#[cfg(test)]
mod tests {
    use crate::{Kind, Span, SpanId, TraceId, label::label};

    #[track_caller]
    fn labelled(attributes: &[(&str, &str)], expected: &str) {
        let mut span = Span::new(TraceId::default(), SpanId::default(), "the span");
        span.kind = Kind::Client;
        span.attributes = attributes.iter().copied().collect();
        assert_eq!(label(&span), expected);
    }

    #[track_caller]
    fn postgres(operation: &str, collection: &str, summary: &str, expected: &str) {
        let mut attributes = vec![("db.system.name", "postgresql")];
        attributes.extend((!operation.is_empty()).then_some(("db.operation.name", operation)));
        attributes.extend((!collection.is_empty()).then_some(("db.collection.name", collection)));
        attributes.extend((!summary.is_empty()).then_some(("db.query.summary", summary)));
        labelled(&attributes, expected);
    }

    #[test]
    fn statements_are_called_by_verb_and_table() {
        postgres(
            "SELECT",
            "inventory",
            "SELECT inventory",
            "postgres.Query SELECT … FROM inventory",
        );
        postgres(
            "SELECT",
            "inventory",
            "SELECT FOR UPDATE inventory",
            "postgres.Query SELECT … FROM inventory FOR UPDATE",
        );
        postgres(
            "INSERT",
            "payments",
            "INSERT payments",
            "postgres.Exec INSERT INTO payments",
        );
        postgres(
            "UPDATE",
            "orders",
            "UPDATE orders",
            "postgres.Exec UPDATE orders",
        );
        postgres(
            "DELETE",
            "outbox",
            "DELETE outbox",
            "postgres.Exec DELETE FROM outbox",
        );
        postgres(
            "MERGE",
            "stock",
            "MERGE stock",
            "postgres.Exec MERGE INTO stock",
        );
        postgres(
            "TRUNCATE",
            "stock",
            "TRUNCATE stock",
            "postgres.Exec TRUNCATE stock",
        );
        postgres("COMMIT", "", "COMMIT", "postgres.Exec COMMIT");
        postgres("BEGIN", "", "", "postgres.Exec BEGIN");
    }

    #[test]
    fn the_summary_helps_out_when_attributes_are_missing() {
        postgres("", "", "SELECT a b", "postgres.Query SELECT … FROM a, b");
        postgres(
            "",
            "",
            "SELECT FOR UPDATE a",
            "postgres.Query SELECT … FROM a FOR UPDATE",
        );
        postgres("SELECT", "", "SELECT", "postgres.Query SELECT");
        postgres(
            "SELECT",
            "",
            "stock of a cart",
            "postgres.Query stock of a cart",
        );
        postgres(
            "SELECT",
            "stock",
            "stock of a cart",
            "postgres.Query SELECT … FROM stock",
        );
        postgres("", "", "postgresql", "postgres.Query postgresql");
        postgres("", "", "", "postgres.Query the span");
    }

    #[test]
    fn other_sql_systems_keep_their_name() {
        labelled(
            &[
                ("db.system.name", "mysql"),
                ("db.query.summary", "INSERT carts"),
            ],
            "mysql.Exec INSERT INTO carts",
        );
        labelled(
            &[
                ("db.system.name", "mongodb"),
                ("db.operation.name", "find"),
                ("db.collection.name", "carts"),
            ],
            "mongodb.Find carts",
        );
    }

    #[track_caller]
    fn redis(operation: &str, text: &str, summary: &str, expected: &str) {
        let mut attributes = vec![
            ("db.system.name", "redis"),
            ("db.operation.name", operation),
        ];
        attributes.extend((!text.is_empty()).then_some(("db.query.text", text)));
        attributes.extend((!summary.is_empty()).then_some(("db.query.summary", summary)));
        labelled(&attributes, expected);
    }

    #[test]
    fn cache_calls_are_called_by_command_and_key() {
        redis(
            "GET",
            "GET inventory:item_42",
            "GET inventory",
            "redis.Get inventory:item_42",
        );
        redis("GET", "", "GET inventory", "redis.Get inventory");
        redis("MGET", "MGET i:1 i:2 i:3", "MGET i", "redis.Mget i:1 (+2)");
        redis(
            "MGET",
            "MGET i:1 i:2 … 7 more",
            "MGET i",
            "redis.Mget i:1 (+8)",
        );
        redis("SET", "SET i:1 ? EX 60", "SET i", "redis.Set i:1");
        redis("PING", "PING", "PING", "redis.Ping");
        redis("GET", "", "", "redis.Get");
        labelled(&[("db.system.name", "redis")], "redis.the span");
    }

    #[test]
    fn a_pipeline_says_how_many_commands_it_has() {
        let mut span = Span::new(
            TraceId::default(),
            SpanId::default(),
            "PIPELINE GET inventory",
        );
        span.attributes.insert("db.system.name", "redis");
        span.attributes.insert("db.operation.name", "PIPELINE GET");
        span.attributes
            .insert("db.query.summary", "PIPELINE GET inventory");
        span.attributes
            .insert("db.query.text", "GET inventory:a; GET inventory:b");
        span.attributes.insert("db.operation.batch.size", 2);
        assert_eq!(label(&span), "redis.Pipeline GET inventory (×2)");
    }

    #[test]
    fn the_wait_for_a_connection_keeps_its_name() {
        let mut span = Span::new(TraceId::default(), SpanId::default(), "pool.acquire");
        span.kind = Kind::Internal;
        span.attributes.insert("db.system.name", "postgresql");
        assert_eq!(label(&span), "pool.acquire");
    }
}
