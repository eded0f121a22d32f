//! The one way to SQS: the AWS SDK, pointed elsewhere by its own variables.

use std::time::Duration;

use telemetry::sqs::Queue;
use tokio_util::sync::CancellationToken;

/// Pause before looking for a queue again after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A client by the SDK's standard variables (`AWS_REGION`, `AWS_ENDPOINT_URL_SQS`, credentials).
pub async fn sqs_client() -> aws_sdk_sqs::Client {
    let config = aws_config::load_from_env().await;
    aws_sdk_sqs::Client::new(&config)
}

/// Finds a queue, however long that takes: requests are answered without it. `None` when the
/// service is told to stop first.
pub async fn find_queue(
    sqs: &aws_sdk_sqs::Client,
    name: &str,
    stop: &CancellationToken,
) -> Option<Queue> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = tokio::select! {
            resolved = telemetry::untraced(Queue::resolve(sqs.clone(), name)) => match resolved {
                Ok(queue) => return Some(queue),
                Err(error) => error,
            },
            () = stop.cancelled() => return None,
        };
        tracing::warn!(queue = name, error = %telemetry::chain(&error), "the queue is not there; looking again soon");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return None,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
