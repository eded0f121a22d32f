//! The processor's answers as they are stored for replay, and its error shape.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// An answer that can be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Bytes,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("the sandbox's own types have text keys only");
        Self {
            status,
            body: body.into(),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        (self.status, [(header::CONTENT_TYPE, json)], self.body).into_response()
    }
}

/// The processor's error, `{"error": {…}}`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ProcessorError {
    #[serde(skip)]
    pub(crate) status: StatusCode,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decline_code: Option<&'static str>,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) param: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) charge: Option<Box<str>>,
}

impl ProcessorError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code: None,
            decline_code: None,
            message: message.into(),
            param: None,
            charge: None,
        }
    }

    /// The caller sent something wrong in `param`.
    pub(crate) fn invalid(
        code: &'static str,
        param: impl Into<Box<str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: Some(code),
            param: Some(param.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
        }
    }

    /// The body cannot be read at all.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// No key, or not a test key.
    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message)
    }

    /// The issuer said no.
    pub(crate) fn card(
        code: &'static str,
        decline_code: &'static str,
        message: &str,
        charge: String,
    ) -> Self {
        Self {
            code: Some(code),
            decline_code: Some(decline_code),
            charge: Some(charge.into()),
            ..Self::new(StatusCode::PAYMENT_REQUIRED, "card_error", message)
        }
    }

    /// The key was used for another request.
    pub(crate) fn key_reused() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "idempotency_error",
            "Keys for idempotent requests can only be used with the same parameters they were first used with.",
        )
    }

    /// The first request with this key is not answered yet.
    pub(crate) fn key_in_use() -> Self {
        Self {
            code: Some("idempotency_key_in_use"),
            ..Self::new(
                StatusCode::CONFLICT,
                "idempotency_error",
                "There is currently another in-progress request using this idempotency key. Please try again later.",
            )
        }
    }

    /// The processor failed.
    pub(crate) fn api(status: StatusCode) -> Self {
        Self::new(
            status,
            "api_error",
            "An error occurred at the processor. Try again later.",
        )
    }

    pub(crate) fn answer(&self) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a ProcessorError,
        }
        Answer::json(self.status, &Body { error: self })
    }
}

impl IntoResponse for ProcessorError {
    fn into_response(self) -> Response {
        self.answer().into_response()
    }
}

/// Lets in whoever bears a secret test key.
pub(crate) fn check_key(headers: &HeaderMap) -> Result<(), ProcessorError> {
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| {
            ProcessorError::unauthorized(
                "You did not provide an API key: send `Authorization: Bearer sk_test_…`.",
            )
        })?;
    match key.strip_prefix("sk_test_") {
        Some(name) if !name.is_empty() => Ok(()),
        _ => Err(ProcessorError::unauthorized(
            "This sandbox takes test keys only: `sk_test_…`.",
        )),
    }
}
