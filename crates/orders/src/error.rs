//! What can go wrong with a checkout, at which stage, and what the caller is told.

use contracts::{error_code::ErrorCode, problem::Problem};
use service::problem;
use telemetry::Failure;

use crate::{inventory::InventoryError, payment::PaymentError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckoutError {
    #[error("the cart was refused")]
    Refused(#[source] InventoryError),
    #[error("inventory is unavailable")]
    Inventory(#[source] InventoryError),
    #[error("payment failed")]
    Payment(#[from] PaymentError),
    #[error("orders could not be read or stored")]
    Store(#[source] sqlx::Error),
    #[error("the first request with this Idempotency-Key has not been answered yet")]
    InProgress,
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    #[error("the stored answer has the status {0}")]
    StoredAnswer(u16),
}

impl From<InventoryError> for CheckoutError {
    fn from(error: InventoryError) -> Self {
        match error {
            InventoryError::Refused(_) => Self::Refused(error),
            InventoryError::Failed(_)
            | InventoryError::Unreachable(_)
            | InventoryError::Unreadable(_) => Self::Inventory(error),
        }
    }
}

impl CheckoutError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(InventoryError::Refused(problem)) => problem.code,
            Self::Refused(_) | Self::Inventory(_) => ErrorCode::InventoryUnavailable,
            Self::Payment(_) => ErrorCode::PaymentFailed,
            Self::Store(_) => ErrorCode::Unavailable,
            Self::InProgress => ErrorCode::CheckoutInProgress,
            Self::KeyReused => ErrorCode::IdempotencyKeyReused,
            Self::StoredAnswer(_) => ErrorCode::Internal,
        }
    }

    /// The answer to the caller. Failures are logged here, once; refusals are not failures.
    pub(crate) fn into_problem(self) -> Problem {
        if !self.is_refusal() {
            tracing::error!(error = %telemetry::chain(&self), stage = self.stage(), "checkout failed");
        }
        let detail = match &self {
            Self::Refused(InventoryError::Refused(problem)) => problem.detail.clone(),
            error => error.to_string(),
        };
        problem(self.code(), detail)
    }

    /// The answer when the issuer said no: a result, so it is made of the code alone.
    pub(crate) fn declined_problem(decline_code: &str) -> Problem {
        problem(ErrorCode::CardDeclined, "the card was declined").with_decline_code(decline_code)
    }
}

impl Failure for CheckoutError {
    fn error_type(&self) -> &'static str {
        self.code().as_str()
    }

    fn stage(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::Inventory(_) => "check_inventory",
            Self::Payment(_) => "charge",
            Self::Store(_) => "store_order",
            Self::InProgress | Self::KeyReused | Self::StoredAnswer(_) => "idempotency",
        }
    }

    fn is_refusal(&self) -> bool {
        self.code().http_status().is_client_error()
    }
}
