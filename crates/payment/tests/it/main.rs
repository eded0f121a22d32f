//! Payment on real Postgres, over real gRPC and SQS, against the processor's sandbox.

mod support;

mod charge;
mod failures;
mod invoice;
mod processor;
mod ready;
