//! What can go wrong with a quote, and what it is over gRPC.

use contracts::{error_code::ErrorCode, ids::Sku, money::MoneyError};
use telemetry::Failure;
use tonic::Status;

#[derive(Debug, thiserror::Error)]
pub(crate) enum QuoteError {
    #[error("{0}")]
    Invalid(String),
    #[error("the tenant has no price list")]
    NoPriceList,
    #[error("{0} has no price")]
    UnknownItem(Sku),
    #[error("the price list cannot be used")]
    PriceList(#[source] contracts::money::UnknownCurrency),
    #[error("the cart costs more than can be counted")]
    Amount(#[source] MoneyError),
    #[error("prices could not be read")]
    Store(#[source] sqlx::Error),
}

impl QuoteError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) | Self::Amount(_) => ErrorCode::InvalidRequest,
            Self::NoPriceList | Self::UnknownItem(_) => ErrorCode::UnknownItem,
            Self::PriceList(_) => ErrorCode::Internal,
            Self::Store(_) => ErrorCode::Unavailable,
        }
    }

    /// The answer to the caller; the cause stays here, in the log and in the trace.
    pub(crate) fn into_status(self) -> Status {
        let code = self.code().grpc_code();
        if matches!(code, tonic::Code::Internal | tonic::Code::Unavailable) {
            tracing::error!(error = %telemetry::chain(&self), "quote failed");
        }
        Status::new(code, self.to_string())
    }
}

impl Failure for QuoteError {
    fn error_type(&self) -> &'static str {
        self.code().as_str()
    }

    fn stage(&self) -> &'static str {
        "quote"
    }

    fn is_refusal(&self) -> bool {
        self.code().http_status().is_client_error()
    }
}
