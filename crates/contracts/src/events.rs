//! What orders tells inventory and payment over SQS. At-least-once: each consumer is
//! idempotent by order.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    ids::{OrderId, TenantId},
    money::Money,
    orders::OrderLine,
};

/// The message body on both queues. `type` names the event, and a consumer that does not know
/// a version leaves the message to the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// An order was paid for and stored.
    OrderPlaced(OrderPlaced),
}

/// An order was paid for and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// Version of this shape; consumers know [`OrderPlaced::VERSION`].
    pub version: u32,
    /// Whose order it is.
    pub tenant_id: TenantId,
    /// The order.
    pub order_id: OrderId,
    /// What was bought.
    pub lines: Vec<OrderLine>,
    /// What was paid.
    pub total: Money,
    /// When the order was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub placed_at: OffsetDateTime,
}

impl OrderPlaced {
    /// The version that this crate writes and reads.
    pub const VERSION: u32 = 1;
}

/// A message body that is no event of this shop.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEvent {
    /// The body is not the JSON of an event.
    #[error("the message body is not an event of this shop")]
    Malformed(#[source] serde_json::Error),
    /// The event is newer than this consumer.
    #[error(
        "version {0} of the event is not known; deploy a newer consumer, then redrive the dead-letter queue"
    )]
    UnknownVersion(u32),
}

impl Event {
    /// The event as a message body.
    ///
    /// # Panics
    /// Never: every field of an event is JSON.
    #[must_use]
    pub fn to_body(&self) -> String {
        serde_json::to_string(self).expect("an event has no map keys that are not strings")
    }

    /// The event in a message body.
    ///
    /// # Errors
    /// [`InvalidEvent`] when the body is not one, or one of an unknown version.
    pub fn parse(body: &str) -> Result<Self, InvalidEvent> {
        let event: Self = serde_json::from_str(body).map_err(InvalidEvent::Malformed)?;
        match &event {
            Self::OrderPlaced(placed) if placed.version != OrderPlaced::VERSION => {
                Err(InvalidEvent::UnknownVersion(placed.version))
            }
            Self::OrderPlaced(_) => Ok(event),
        }
    }
}
