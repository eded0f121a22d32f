//! The one way to SQS: the AWS SDK, pointed elsewhere by its own variables.

/// A client by the SDK's standard variables (`AWS_REGION`, `AWS_ENDPOINT_URL_SQS`, credentials).
pub async fn sqs_client() -> aws_sdk_sqs::Client {
    let config = aws_config::load_from_env().await;
    aws_sdk_sqs::Client::new(&config)
}
