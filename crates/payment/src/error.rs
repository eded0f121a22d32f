//! What can go wrong with a charge or an invoice, and what it is over gRPC.

use contracts::{error_code::ErrorCode, events::InvalidEvent};
use telemetry::Failure;
use tonic::Status;

use crate::processor::ProcessorError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ChargeError {
    #[error("{0}")]
    Invalid(String),
    #[error("the order was charged before, for another amount or card")]
    OtherPurchase,
    #[error("the fraud check does not answer")]
    FraudCheck(#[source] ProcessorError),
    #[error("the card processor failed")]
    Processor(#[source] ProcessorError),
    #[error("payments could not be read")]
    FindPayment(#[source] sqlx::Error),
    #[error("the payment could not be stored")]
    StorePayment(#[source] sqlx::Error),
}

impl ChargeError {
    /// What the processor's error is to a charge.
    pub(crate) fn from_processor(error: ProcessorError) -> Self {
        match error {
            ProcessorError::OtherRequest => Self::OtherPurchase,
            error => Self::Processor(error),
        }
    }

    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) | Self::OtherPurchase => ErrorCode::InvalidRequest,
            // Also where the money may have been taken: asking again is safe, and tells.
            Self::FraudCheck(_)
            | Self::Processor(_)
            | Self::FindPayment(_)
            | Self::StorePayment(_) => ErrorCode::PaymentFailed,
        }
    }

    /// The answer to the caller; the cause stays here, in the log and in the trace.
    pub(crate) fn into_status(self) -> Status {
        let code = self.code().grpc_code();
        if matches!(code, tonic::Code::Internal | tonic::Code::Unavailable) {
            tracing::error!(error = %telemetry::chain(&self), stage = self.stage(), "charge failed");
        }
        Status::new(code, self.to_string())
    }
}

impl Failure for ChargeError {
    fn error_type(&self) -> &'static str {
        self.code().as_str()
    }

    fn stage(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "read_request",
            Self::OtherPurchase | Self::FindPayment(_) => "find_payment",
            Self::FraudCheck(_) => "fraud_check",
            Self::Processor(_) => "charge",
            Self::StorePayment(_) => "store_payment",
        }
    }

    fn is_refusal(&self) -> bool {
        self.code().http_status().is_client_error()
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum InvoiceError {
    #[error("the message cannot be read")]
    Unreadable(#[from] InvalidEvent),
    #[error("the invoice could not be stored")]
    Store(#[source] sqlx::Error),
}

impl Failure for InvoiceError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => ErrorCode::InvalidRequest.as_str(),
            Self::Store(_) => ErrorCode::Unavailable.as_str(),
        }
    }

    fn stage(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "read_event",
            Self::Store(_) => "store_invoice",
        }
    }
}
