//! The SQS edge on an endpoint that speaks SQS's protocol, queues of its own per test.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test by panicking"
)]

mod consumer;
mod failure;
mod send_receive;
mod support;
