//! What can go wrong with stock, and what it is over HTTP.

use contracts::{
    error_code::ErrorCode,
    events::InvalidEvent,
    ids::{OrderId, Sku},
    problem::Problem,
};
use telemetry::Failure;
use tonic::Status;

/// Why stock was not held, or could not be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReserveError {
    #[error("{0} is not an item of this shop")]
    NotStocked(Sku),
    /// In the words of pricing.
    #[error("{0}")]
    NoPrice(String),
    /// In the words of pricing.
    #[error("{0}")]
    NotPriceable(String),
    #[error("{sku}: {requested} wanted, {available} available")]
    OutOfStock {
        sku: Sku,
        requested: u32,
        available: i64,
    },
    #[error("pricing does not answer")]
    Pricing(#[source] Box<Status>),
    #[error("the quote of pricing cannot be read: {0}")]
    Quote(String),
    #[error("the stock could not be read or held")]
    Store(#[source] sqlx::Error),
}

impl ReserveError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotStocked(_) | Self::NoPrice(_) => ErrorCode::UnknownItem,
            Self::NotPriceable(_) => ErrorCode::InvalidRequest,
            Self::OutOfStock { .. } => ErrorCode::OutOfStock,
            Self::Pricing(_) | Self::Store(_) => ErrorCode::Unavailable,
            Self::Quote(_) => ErrorCode::Internal,
        }
    }

    /// The answer to the caller; the cause stays here, in the log and in the trace.
    pub(crate) fn into_problem(self) -> Problem {
        answer(self.code(), &self)
    }
}

impl From<sqlx::Error> for ReserveError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error)
    }
}

impl Failure for ReserveError {
    fn error_type(&self) -> &'static str {
        self.code().as_str()
    }

    fn stage(&self) -> &'static str {
        match self {
            Self::NoPrice(_) | Self::NotPriceable(_) | Self::Pricing(_) | Self::Quote(_) => "quote",
            Self::NotStocked(_) | Self::OutOfStock { .. } | Self::Store(_) => "check_inventory",
        }
    }

    fn is_refusal(&self) -> bool {
        self.code().http_status().is_client_error()
    }
}

/// Why a reservation was not released.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReleaseError {
    #[error("order {0} is placed and its stock is committed; it cannot be released")]
    Committed(OrderId),
    #[error("the reservation could not be released")]
    Store(#[from] sqlx::Error),
}

impl ReleaseError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Committed(_) => ErrorCode::ReservationCommitted,
            Self::Store(_) => ErrorCode::Unavailable,
        }
    }

    pub(crate) fn into_problem(self) -> Problem {
        answer(self.code(), &self)
    }
}

impl Failure for ReleaseError {
    fn error_type(&self) -> &'static str {
        self.code().as_str()
    }

    fn stage(&self) -> &'static str {
        "release_stock"
    }

    fn is_refusal(&self) -> bool {
        self.code().http_status().is_client_error()
    }
}

/// Why a message did not move stock; it is delivered again, and ends in the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    #[error(transparent)]
    Event(#[from] InvalidEvent),
    #[error("the stock movements could not be written")]
    Store(#[from] sqlx::Error),
}

impl Failure for CommitError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Event(_) => ErrorCode::InvalidRequest.as_str(),
            Self::Store(_) => ErrorCode::Unavailable.as_str(),
        }
    }

    fn stage(&self) -> &'static str {
        "commit_stock"
    }
}

fn answer(code: ErrorCode, error: &(dyn std::error::Error + 'static)) -> Problem {
    if code.http_status().is_server_error() {
        tracing::error!(error = %telemetry::chain(error), code = code.as_str(), "the request failed");
    }
    service::problem(code, error.to_string())
}
