//! Amazon SQS, traced: the context travels in message attributes.
//!
//! A producer names the context in which the message came to be, which for an outbox is the one
//! captured with the row; a consumer runs a handler per message:
//!
//! ```no_run
//! use telemetry::{TraceCarrier, sqs::{Consumer, Queue}};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[derive(Debug, thiserror::Error)]
//! # #[error("books are closed")]
//! # struct BooksClosed;
//! # impl telemetry::Failure for BooksClosed {
//! #     fn error_type(&self) -> &'static str { "books_closed" }
//! #     fn stage(&self) -> &'static str { "post" }
//! # }
//! # async fn example(client: aws_sdk_sqs::Client) -> Result<(), telemetry::sqs::QueueError> {
//! let queue = Queue::resolve(client, "payment-events").await?;
//! let id = queue.send("{}".to_owned(), &TraceCarrier::capture()).await?;
//! # let _ = id;
//!
//! let stop = CancellationToken::new();
//! Consumer::new(queue)
//!     .concurrency(4)
//!     .run(stop, |message| async move {
//!         // Inside `process payment-events`. Delivery is at least once: be idempotent.
//!         let _body = &message.body;
//!         Ok::<(), BooksClosed>(())
//!     })
//!     .await;
//! # Ok(())
//! # }
//! ```
//!
//! # The spans
//!
//! Names, kinds and attributes are those of the semantic conventions for messaging and for SQS
//! (<https://opentelemetry.io/docs/specs/semconv/messaging/sqs/>):
//!
//! | span | kind | where |
//! |---|---|---|
//! | `send {queue}` | PRODUCER | child of the creation context; its own context goes with the message |
//! | `receive {queue}` | CLIENT | a trace of its own with a link per message; only when messages came |
//! | `process {queue}` | CONSUMER | child of the message's context, and linked to it |
//! | `delete {queue}` | CLIENT | child of `process` |
//!
//! The conventions correlate by link and allow the parent where messages are processed one by
//! one, as they are here. [`ProcessParent::LinkOnly`] keeps to the link.
//!
//! Three of the ten attributes a message may have are used: `traceparent`, `tracestate` and
//! `baggage`, the latter reduced to what [`TraceCarrier`](crate::TraceCarrier) lets through. SQS
//! returns no attribute that is not asked for by name and refuses empty values; both are seen to.

mod consumer;
mod error;
mod message;
mod process;
mod queue;
mod span;

pub use consumer::Consumer;
pub use error::QueueError;
pub use message::{Message, MessageId};
pub use process::{ProcessParent, UnknownProcessParent};
pub use queue::Queue;
