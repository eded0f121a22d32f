//! `application/problem+json` (RFC 9457): the one shape of every error over HTTP.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error_code::ErrorCode;

/// Content type of every error body.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The body of an error: what happened, what to do, and where to look it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[schema(example = "urn:spantree:problem:card_declined")]
    pub r#type: String,
    /// A short text that is the same for every problem of this kind.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// The kind of problem for programs.
    pub code: ErrorCode,
    /// What happened this time.
    pub detail: String,
    /// What to do next.
    pub advice: String,
    /// The trace that shows how it happened.
    #[schema(example = "0af7651916cd43dd8448eb211c80319c")]
    pub trace_id: Option<String>,
    /// The issuer's reason, for a declined card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "insufficient_funds")]
    pub decline_code: Option<String>,
}

impl Problem {
    /// A problem of this kind; `trace_id` is the trace of the request.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>, trace_id: Option<String>) -> Self {
        Self {
            r#type: format!("urn:spantree:problem:{code}"),
            title: code.title().to_owned(),
            status: code.http_status().as_u16(),
            code,
            detail: detail.into(),
            advice: code.advice().to_owned(),
            trace_id,
            decline_code: None,
        }
    }

    /// The same problem with the issuer's reason.
    #[must_use]
    pub fn with_decline_code(mut self, decline_code: impl Into<String>) -> Self {
        self.decline_code = Some(decline_code.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.http_status();
        let mut response = (status, axum::Json(self)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == http::StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
