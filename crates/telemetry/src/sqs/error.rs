//! Why a call to SQS failed.

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A call to SQS that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// There is no queue of this name.
    #[error(
        "the queue `{name}` does not exist; create it, or check AWS_REGION and AWS_ENDPOINT_URL_SQS"
    )]
    Missing {
        /// The queue that was looked for.
        name: String,
    },
    /// SQS was not reached or refused.
    #[error("cannot {operation} `{queue}`: {detail}")]
    Call {
        /// What was tried: `send`, `receive`, `delete`, …
        operation: &'static str,
        /// The queue.
        queue: String,
        /// The class of error: SQS's error code, or `timeout`, `dispatch`, `response`.
        error_type: String,
        /// The whole chain of causes, in words.
        detail: String,
        /// The SDK's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl QueueError {
    pub(super) fn call<E, R>(operation: &'static str, queue: &str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        Self::Call {
            operation,
            queue: queue.to_owned(),
            error_type: error_type(&error),
            detail: DisplayErrorContext(&error).to_string(),
            source: Box::new(error),
        }
    }

    /// The class of error, as in `error.type`: few different values.
    pub fn error_type(&self) -> &str {
        match self {
            Self::Missing { .. } => "queue_missing",
            Self::Call { error_type, .. } => error_type,
        }
    }
}

fn error_type<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata,
{
    let class = match error {
        SdkError::ServiceError(service) => {
            return service.err().code().unwrap_or("unknown").to_owned();
        }
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(_) => "dispatch",
        SdkError::ResponseError(_) => "response",
        SdkError::ConstructionFailure(_) => "construction",
        _ => "other",
    };
    class.to_owned()
}
