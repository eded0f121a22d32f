//! `/health` says that the process runs; `/ready` says that what it needs answers.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::{Json, Router, http::StatusCode, routing::get};
use futures_util::future::join_all;
use serde::Serialize;

/// A check that takes longer counts as failed.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// Why a part is not ready, for the person who reads `/ready`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unready(pub String);

impl Unready {
    /// From whatever went wrong.
    pub fn new(cause: impl fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

type Check =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), Unready>> + Send>> + Send + Sync>;

/// What a service needs to do its work.
#[derive(Clone, Default)]
pub struct Checks {
    checks: Vec<(&'static str, Check)>,
}

#[derive(Serialize)]
struct Report {
    ready: bool,
    checks: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    name: &'static str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Checks {
    /// Nothing is needed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part that has to answer.
    #[must_use]
    pub fn check<F, R>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Unready>> + Send + 'static,
    {
        self.checks
            .push((name, Arc::new(move || Box::pin(check()))));
        self
    }

    /// Adds the database.
    #[must_use]
    pub fn database(self, pool: telemetry::sqlx::PgPool) -> Self {
        self.check("postgres", move || {
            let pool = pool.clone();
            async move {
                sqlx::query("SELECT 1")
                    .execute(&pool)
                    .await
                    .map(drop)
                    .map_err(Unready::new)
            }
        })
    }

    /// The routes `/health` and `/ready`.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/health", get(|| async { "ok" }))
            .route("/ready", get(move || self.clone().report()))
    }

    async fn report(self) -> (StatusCode, Json<Report>) {
        // A probe every few seconds is not worth a trace.
        let checks = telemetry::untraced(join_all(self.checks.iter().map(
            |(name, check)| async move {
                let error = match tokio::time::timeout(CHECK_LIMIT, check()).await {
                    Ok(Ok(())) => None,
                    Ok(Err(unready)) => Some(unready.0),
                    Err(_) => Some(format!("no answer within {CHECK_LIMIT:?}")),
                };
                Part {
                    name,
                    ready: error.is_none(),
                    error,
                }
            },
        )))
        .await;
        let ready = checks.iter().all(|part| part.ready);
        let status = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, Json(Report { ready, checks }))
    }
}
