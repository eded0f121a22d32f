//! The database of one stack: created with a schema for each service, dropped at the end.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::time::Instant;
use url::Url;

/// One schema for each service that stores something.
pub const SCHEMAS: [&str; 4] = ["orders", "inventory", "pricing", "payment"];
/// Postgres refuses to copy a template that somebody is connected to; nobody stays long.
const TEMPLATE_IN_USE: &str = "55006";
const CREATE_LIMIT: Duration = Duration::from_secs(20);

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A database that belongs to one stack.
#[derive(Debug, Clone)]
pub struct Database {
    server: Url,
    name: String,
}

impl Database {
    /// Creates a database with a name of its own on the server that `server` names, and the
    /// schemas of the services in it.
    pub async fn create(server: &Url) -> anyhow::Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let random = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("spantree_{}_{number}_{}", std::process::id(), &random[..8]);
        let database = Self {
            server: server.clone(),
            name,
        };
        let mut connection = connect(server).await?;
        let statement = format!("CREATE DATABASE {} TEMPLATE template0", database.name);
        let deadline = Instant::now() + CREATE_LIMIT;
        loop {
            match execute(&mut connection, &statement).await {
                Ok(()) => break,
                Err(error) if is_template_in_use(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("cannot create a database on {}", without_secret(server))
                    });
                }
            }
        }
        let _ = connection.close().await;
        let mut connection = database.connect().await?;
        for schema in SCHEMAS {
            execute(&mut connection, &format!("CREATE SCHEMA {schema}"))
                .await
                .with_context(|| format!("cannot create the schema {schema}"))?;
        }
        let _ = connection.close().await;
        Ok(database)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole database.
    pub fn url(&self) -> Url {
        let mut url = self.server.clone();
        url.set_path(&format!("/{}", self.name));
        url
    }

    /// As a service sees it: its schema is the search path.
    pub fn url_of(&self, schema: &str) -> Url {
        let mut url = self.url();
        url.query_pairs_mut()
            .append_pair("options", &format!("-csearch_path={schema}"));
        url
    }

    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        connect(&self.url()).await
    }

    /// A connection that sees what the service of this schema sees.
    pub async fn connect_as(&self, schema: &str) -> anyhow::Result<PgConnection> {
        connect(&self.url_of(schema)).await
    }

    /// Drops it, whoever is still connected.
    pub async fn drop_it(&self) -> anyhow::Result<()> {
        let mut connection = connect(&self.server).await?;
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        execute(&mut connection, &statement)
            .await
            .with_context(|| format!("cannot drop the database {}", self.name))?;
        let _ = connection.close().await;
        Ok(())
    }
}

/// A single connection for the runner's own statements.
pub(crate) async fn connect(url: &Url) -> anyhow::Result<PgConnection> {
    PgConnectOptions::from_url(url)
        .with_context(|| format!("{} is not a Postgres address", without_secret(url)))?
        .disable_statement_logging()
        .connect()
        .await
        .with_context(|| format!("Postgres at {} does not let us in", without_secret(url)))
}

/// Runs one or more statements without parameters.
pub(crate) async fn execute(
    connection: &mut PgConnection,
    statement: &str,
) -> Result<(), sqlx::Error> {
    // Names are made here from letters, digits and underscores; nothing comes from outside.
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map(drop)
}

fn is_template_in_use(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == TEMPLATE_IN_USE)
}

fn without_secret(url: &Url) -> Url {
    let mut url = url.clone();
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_sees_its_schema_and_keeps_the_other_options() {
        let database = Database {
            server: Url::parse("postgres://me:secret@127.0.0.1:5432/postgres?sslmode=disable")
                .unwrap(),
            name: "spantree_1".to_owned(),
        };
        assert_eq!(
            database.url_of("inventory").as_str(),
            "postgres://me:secret@127.0.0.1:5432/spantree_1?sslmode=disable&options=-csearch_path%3Dinventory"
        );
        assert!(!without_secret(&database.url()).as_str().contains("secret"));
    }
}
