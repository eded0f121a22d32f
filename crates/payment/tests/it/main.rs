//! Payment on real Postgres, over real gRPC and SQS, against the processor's sandbox.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod support;

mod charge;
mod failures;
mod invoice;
mod processor;
mod ready;
