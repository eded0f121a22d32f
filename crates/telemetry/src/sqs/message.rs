//! A message as it was received, and its trace context in message attributes.

use std::{collections::HashMap, fmt};

use aws_sdk_sqs::types::{
    Message as SdkMessage, MessageAttributeValue, MessageSystemAttributeName,
};

use crate::TraceCarrier;

/// The attributes the context travels in. SQS returns them only when asked by name.
pub(super) const CONTEXT_ATTRIBUTES: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// The id SQS gave a message. The same for every delivery of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(String);

impl MessageId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for MessageId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One delivery of a message.
#[derive(Debug, Clone)]
pub struct Message {
    /// The id, the same for every delivery.
    pub id: MessageId,
    /// What was sent.
    pub body: String,
    /// Names this delivery: what deletes it or changes its visibility.
    pub receipt_handle: String,
    /// How often the message has been delivered, this time included. Approximate, as SQS says.
    pub receive_count: u32,
    /// The context the message was sent in.
    pub carrier: TraceCarrier,
}

impl Message {
    pub(super) fn received(message: SdkMessage) -> Self {
        let attributes = message.message_attributes.unwrap_or_default();
        let carrier =
            TraceCarrier::from_fields(CONTEXT_ATTRIBUTES.into_iter().filter_map(|name| {
                let value = attributes.get(name)?.string_value.as_deref()?;
                Some((name, value))
            }));
        let receive_count = message
            .attributes
            .as_ref()
            .and_then(|system| {
                system
                    .get(&MessageSystemAttributeName::ApproximateReceiveCount)?
                    .parse()
                    .ok()
            })
            .unwrap_or(1);
        Self {
            id: MessageId(message.message_id.unwrap_or_default()),
            body: message.body.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            receive_count,
            carrier,
        }
    }
}

/// The attributes that carry `carrier`. Empty values are left out: SQS refuses the whole message
/// for one of them.
pub(super) fn context_attributes(carrier: &TraceCarrier) -> HashMap<String, MessageAttributeValue> {
    carrier
        .fields()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| {
            let attribute = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .ok()?;
            Some((name.to_owned(), attribute))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_values_are_not_sent() {
        let carrier = TraceCarrier {
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            tracestate: Some(String::new()),
            baggage: None,
        };
        let attributes = context_attributes(&carrier);
        assert_eq!(attributes.keys().collect::<Vec<_>>(), ["traceparent"]);
    }

    #[test]
    fn whatever_stands_in_the_attributes_a_message_is_received() {
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .unwrap()
        };
        let message = SdkMessage::builder()
            .message_id("1")
            .body("{}")
            .message_attributes("traceparent", attribute("not a traceparent"))
            .message_attributes("baggage", attribute(&"=;,".repeat(10_000)))
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "many")
            .build();
        let message = Message::received(message);
        assert_eq!(message.receive_count, 1);
        assert_eq!(
            TraceCarrier::from_context(&message.carrier.context()),
            TraceCarrier::default()
        );
    }
}
