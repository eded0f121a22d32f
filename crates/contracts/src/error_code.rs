//! The closed list of error codes, with one table to HTTP and one to gRPC.
//!
//! A new code does not compile until both tables, the title and the advice know it.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tonic::Code;
use utoipa::ToSchema;

/// What went wrong, in words that a program can match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request could not be read.
    InvalidRequest,
    /// No API key, or one that belongs to nobody.
    Unauthorized,
    /// The issuer said no.
    CardDeclined,
    /// No such order, reservation or page.
    NotFound,
    /// The resource knows no such method.
    MethodNotAllowed,
    /// Fewer are available than the cart asks for.
    OutOfStock,
    /// The first request with this idempotency key has not been answered yet.
    CheckoutInProgress,
    /// The stock of a paid order is not given back.
    ReservationCommitted,
    /// The body is larger than the service reads.
    BodyTooLarge,
    /// The body is not JSON, or does not say so.
    UnsupportedMediaType,
    /// The cart asks for an item that the tenant does not sell.
    UnknownItem,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// The service failed.
    Internal,
    /// Payment, or the card processor behind it, failed.
    PaymentFailed,
    /// Inventory failed or does not answer.
    InventoryUnavailable,
    /// A part that the service needs does not answer.
    Unavailable,
    /// The deadline of the request passed.
    DeadlineExceeded,
}

impl ErrorCode {
    /// Every code, for tests and for the API's documentation.
    pub const ALL: [Self; 17] = [
        Self::InvalidRequest,
        Self::Unauthorized,
        Self::CardDeclined,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::OutOfStock,
        Self::CheckoutInProgress,
        Self::ReservationCommitted,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::UnknownItem,
        Self::IdempotencyKeyReused,
        Self::Internal,
        Self::PaymentFailed,
        Self::InventoryUnavailable,
        Self::Unavailable,
        Self::DeadlineExceeded,
    ];

    /// The code as it stands in a problem body and in `error.type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthorized => "unauthorized",
            Self::CardDeclined => "card_declined",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::OutOfStock => "out_of_stock",
            Self::CheckoutInProgress => "checkout_in_progress",
            Self::ReservationCommitted => "reservation_committed",
            Self::BodyTooLarge => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::UnknownItem => "unknown_item",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::Internal => "internal",
            Self::PaymentFailed => "payment_failed",
            Self::InventoryUnavailable => "inventory_unavailable",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }

    /// The HTTP table.
    #[must_use]
    pub const fn http_status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::CardDeclined => StatusCode::PAYMENT_REQUIRED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::OutOfStock | Self::CheckoutInProgress | Self::ReservationCommitted => {
                StatusCode::CONFLICT
            }
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::UnknownItem | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::PaymentFailed => StatusCode::BAD_GATEWAY,
            Self::InventoryUnavailable | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The gRPC table.
    #[must_use]
    pub const fn grpc_code(self) -> Code {
        match self {
            Self::InvalidRequest | Self::BodyTooLarge | Self::UnsupportedMediaType => {
                Code::InvalidArgument
            }
            Self::Unauthorized => Code::Unauthenticated,
            Self::NotFound | Self::UnknownItem => Code::NotFound,
            Self::MethodNotAllowed => Code::Unimplemented,
            Self::CardDeclined
            | Self::OutOfStock
            | Self::ReservationCommitted
            | Self::IdempotencyKeyReused => Code::FailedPrecondition,
            Self::CheckoutInProgress => Code::Aborted,
            Self::Internal => Code::Internal,
            Self::PaymentFailed | Self::InventoryUnavailable | Self::Unavailable => {
                Code::Unavailable
            }
            Self::DeadlineExceeded => Code::DeadlineExceeded,
        }
    }

    /// A short name of the problem that does not change from one occurrence to the next.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request could not be read",
            Self::Unauthorized => "An API key is needed",
            Self::CardDeclined => "The card was declined",
            Self::NotFound => "There is nothing here",
            Self::MethodNotAllowed => "This method is not allowed here",
            Self::OutOfStock => "Not enough in stock",
            Self::CheckoutInProgress => "The checkout is still in progress",
            Self::ReservationCommitted => "The reservation is committed",
            Self::BodyTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body must be JSON",
            Self::UnknownItem => "The item is not known",
            Self::IdempotencyKeyReused => "The idempotency key was used for another request",
            Self::Internal => "Something went wrong on our side",
            Self::PaymentFailed => "Payment failed",
            Self::InventoryUnavailable => "Inventory is unavailable",
            Self::Unavailable => "The service is unavailable",
            Self::DeadlineExceeded => "The checkout took too long",
        }
    }

    /// What the caller can do next.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::InvalidRequest => {
                "Correct the field that `detail` names and send the request again."
            }
            Self::Unauthorized => {
                "Send `Authorization: Bearer <API key>` with the key of your tenant."
            }
            Self::CardDeclined => {
                "Nothing was charged. Ask for another card and check out with a new Idempotency-Key."
            }
            Self::NotFound => {
                "Check the address and the id; orders are visible to their own tenant only."
            }
            Self::MethodNotAllowed => "See /openapi.json for the methods of this address.",
            Self::OutOfStock => {
                "Lower the quantity or remove the item, then check out with a new Idempotency-Key."
            }
            Self::CheckoutInProgress => {
                "Wait a second and send the same request with the same Idempotency-Key."
            }
            Self::ReservationCommitted => {
                "The order is paid and its stock is sold; book a return instead of a release."
            }
            Self::BodyTooLarge => "Send fewer cart lines.",
            Self::UnsupportedMediaType => {
                "Send the body as JSON with `Content-Type: application/json`."
            }
            Self::UnknownItem => "Remove the item that `detail` names from the cart.",
            Self::IdempotencyKeyReused => "Use a new Idempotency-Key for each checkout.",
            Self::Internal => "Try again; if it stays, report the trace_id.",
            Self::PaymentFailed => {
                "Send the same request with the same Idempotency-Key: the card is charged once at most."
            }
            Self::InventoryUnavailable | Self::Unavailable => {
                "Nothing was charged. Send the same request with the same Idempotency-Key in a few seconds."
            }
            Self::DeadlineExceeded => {
                "The checkout may still complete. Send the same request with the same Idempotency-Key to learn how it ended."
            }
        }
    }

    /// The code of a text that [`ErrorCode::as_str`] made.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_can_be_read_back() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn a_problem_is_never_a_success() {
        for code in ErrorCode::ALL {
            assert!(code.http_status().is_client_error() || code.http_status().is_server_error());
            assert_ne!(code.grpc_code(), Code::Ok);
        }
    }
}
