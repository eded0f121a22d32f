//! What is known about a database before any statement: where it is and what it is called.

use opentelemetry::KeyValue;
use opentelemetry_semantic_conventions::attribute::{
    DB_NAMESPACE, DB_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT,
};
use sqlx::postgres::PgConnectOptions;

use super::{metrics::Metrics, summary::Summaries};

/// `db.system.name` of PostgreSQL.
const POSTGRESQL: &str = "postgresql";

/// The facts that every span of a pool shares.
#[derive(Debug)]
pub(super) struct Database {
    attributes: Vec<KeyValue>,
    /// `db.client.connection.pool.name`.
    pub(super) pool_name: String,
    pub(super) summaries: Summaries,
    pub(super) metrics: Metrics,
}

impl Database {
    pub(super) fn new(options: &PgConnectOptions) -> Self {
        let namespace = namespace(options);
        let mut attributes = vec![
            KeyValue::new(DB_SYSTEM_NAME, POSTGRESQL),
            KeyValue::new(DB_NAMESPACE, namespace.clone()),
        ];
        let host = match options.get_socket() {
            // A socket in the file system has no port.
            Some(socket) => socket.display().to_string(),
            None => {
                attributes.push(KeyValue::new(SERVER_PORT, i64::from(options.get_port())));
                options.get_host().to_owned()
            }
        };
        let pool_name = format!("{host}/{namespace}");
        attributes.push(KeyValue::new(SERVER_ADDRESS, host));
        Self {
            attributes,
            pool_name,
            summaries: Summaries::default(),
            metrics: Metrics::new(),
        }
    }

    /// `db.system.name`, `db.namespace`, `server.address`, `server.port`.
    pub(super) fn attributes(&self) -> Vec<KeyValue> {
        self.attributes.clone()
    }
}

/// `{database}|{schema}`, as the conventions for PostgreSQL say. The schema is the first of the
/// connection's `search_path`.
fn namespace(options: &PgConnectOptions) -> String {
    // PostgreSQL's own default: the database is called like the user.
    let database = options
        .get_database()
        .unwrap_or_else(|| options.get_username());
    let schema = options
        .get_options()
        .and_then(first_schema)
        .map(|schema| match schema.as_str() {
            "$user" => options.get_username().to_owned(),
            _ => schema,
        })
        .unwrap_or_else(|| "public".to_owned());
    format!("{database}|{schema}")
}

/// The first schema of `-c search_path=a,b` among the start options.
fn first_schema(options: &str) -> Option<String> {
    let (_, value) = options.rsplit_once("search_path=")?;
    let mut schema = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            // A backslash keeps a space inside the value.
            '\\' => schema.extend(chars.next()),
            ',' => break,
            c if c.is_whitespace() => break,
            c => schema.push(c),
        }
    }
    let schema = schema.trim().trim_matches('"');
    (!schema.is_empty()).then(|| schema.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace_of(url: &str) -> String {
        namespace(&url.parse::<PgConnectOptions>().unwrap())
    }

    #[test]
    fn the_namespace_is_database_and_first_schema() {
        let base = "postgres://shop@127.0.0.1:5432/spantree";
        assert_eq!(namespace_of(base), "spantree|public");
        for options in [
            "-csearch_path%3Dinventory",
            "-c%20search_path%3Dinventory,public",
            "-c%20statement_timeout%3D5s%20-c%20search_path%3D%22inventory%22",
        ] {
            assert_eq!(
                namespace_of(&format!("{base}?options={options}")),
                "spantree|inventory",
                "{options}"
            );
        }
        assert_eq!(
            namespace_of(&format!(
                "{base}?options=-csearch_path%3D%22$user%22,public"
            )),
            "spantree|shop"
        );
    }

    #[test]
    fn an_escaped_space_belongs_to_the_name() {
        let options = PgConnectOptions::new().options([("search_path", "my schema")]);
        assert_eq!(
            options.get_options().and_then(first_schema).as_deref(),
            Some("my schema")
        );
    }
}
