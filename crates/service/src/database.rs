//! A service's own schema: connect to it and bring it up to date.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use telemetry::sqlx::PgPool;

/// Why a service has no database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The server does not answer, or refuses.
    #[error(
        "cannot connect to Postgres; check the service's --database-url and that the server runs"
    )]
    Connect(#[source] sqlx::Error),
    /// A migration failed.
    #[error("cannot bring the schema up to date")]
    Migrate(#[source] MigrateError),
}

/// Connects to the schema that the URL's `search_path` names and applies what is missing of
/// `migrations`.
///
/// # Errors
/// [`DatabaseError`] when the server cannot be reached or a migration fails.
pub async fn connect_database(url: &str, migrations: &Migrator) -> Result<PgPool, DatabaseError> {
    telemetry::untraced(async {
        let settings = telemetry::sqlx::PoolSettings {
            max_connections: 8,
            acquire_timeout: Duration::from_secs(5),
            ..telemetry::sqlx::PoolSettings::default()
        };
        let pool = PgPool::connect(url, settings)
            .await
            .map_err(DatabaseError::Connect)?;
        migrations
            .run(pool.inner())
            .await
            .map_err(DatabaseError::Migrate)?;
        Ok(pool)
    })
    .await
}
