//! The SQS edge on an endpoint that speaks SQS's protocol, queues of its own per test.

mod consumer;
mod failure;
mod send_receive;
mod support;
