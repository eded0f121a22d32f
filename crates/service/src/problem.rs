//! Errors over HTTP: one shape, with the trace id of the request in it.

use axum::http::{Method, Uri};
use contracts::{error_code::ErrorCode, problem::Problem};

/// A problem of the current request.
#[must_use]
pub fn problem(code: ErrorCode, detail: impl Into<String>) -> Problem {
    Problem::new(code, detail, telemetry::current_trace_id())
}

/// The answer where there is no route.
pub async fn not_found(uri: Uri) -> Problem {
    problem(ErrorCode::NotFound, format!("there is no {}", uri.path()))
}

/// The answer where there is a route, but not for this method.
pub async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    problem(
        ErrorCode::MethodNotAllowed,
        format!("{method} is not allowed on {}", uri.path()),
    )
}
