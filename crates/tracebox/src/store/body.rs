//! The variable part of a span as one run of bytes: attributes, status message,
//! events and links. A typical span takes about a hundred bytes here.
//!
//! Layout: attributes, presence byte, then each part that the presence byte names.
//! Numbers are LEB128, texts are inline or a reference into [`Strings`].

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span};
use prost::Message;

use super::strings::{Strings, Symbol};

mod tag {
    pub(super) const EMPTY: u8 = 0;
    pub(super) const INLINE: u8 = 1;
    pub(super) const SHARED: u8 = 2;
    pub(super) const FALSE: u8 = 3;
    pub(super) const TRUE: u8 = 4;
    pub(super) const INT: u8 = 5;
    pub(super) const DOUBLE: u8 = 6;
    /// Arrays, maps and bytes: the protobuf encoding of the value.
    pub(super) const ENCODED: u8 = 7;
}

mod present {
    pub(super) const STATUS: u8 = 1;
    pub(super) const STATUS_MESSAGE: u8 = 2;
    pub(super) const TRACE_STATE: u8 = 4;
    pub(super) const DROPPED: u8 = 8;
    pub(super) const EVENTS: u8 = 16;
    pub(super) const LINKS: u8 = 32;
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Text<'a> {
    Inline(&'a str),
    Shared(Symbol),
}

impl<'a> Text<'a> {
    pub(crate) fn resolve(self, strings: &'a Strings) -> &'a str {
        match self {
            Self::Inline(text) => text,
            Self::Shared(symbol) => strings.get(symbol),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum StoredValue<'a> {
    Empty,
    Text(Text<'a>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Encoded(&'a [u8]),
}

pub(crate) type Attribute<'a> = (Symbol, StoredValue<'a>);

#[derive(Default)]
pub(crate) struct Body<'a> {
    pub(crate) attributes: Vec<Attribute<'a>>,
    pub(crate) has_status: bool,
    pub(crate) status_message: Option<Text<'a>>,
    pub(crate) trace_state: Option<Text<'a>>,
    pub(crate) dropped_attributes: u32,
    pub(crate) dropped_events: u32,
    pub(crate) dropped_links: u32,
    pub(crate) events: Vec<StoredEvent<'a>>,
    pub(crate) links: Vec<StoredLink<'a>>,
}

pub(crate) struct StoredEvent<'a> {
    pub(crate) time: u64,
    pub(crate) name: Symbol,
    pub(crate) dropped_attributes: u32,
    pub(crate) attributes: Vec<Attribute<'a>>,
}

pub(crate) struct StoredLink<'a> {
    pub(crate) trace_id: &'a [u8],
    pub(crate) span_id: &'a [u8],
    pub(crate) trace_state: Text<'a>,
    pub(crate) flags: u32,
    pub(crate) dropped_attributes: u32,
    pub(crate) attributes: Vec<Attribute<'a>>,
}

/// What the scratch buffer keeps after a large span.
const SCRATCH: usize = 64 << 10;

/// Packs everything of `span` but its fixed fields and its name. `scratch` is reused from
/// span to span, so that each body is one allocation of its exact size.
pub(super) fn encode(span: &Span, strings: &mut Strings, scratch: &mut Vec<u8>) -> Box<[u8]> {
    scratch.clear();
    let mut writer = Writer {
        out: scratch,
        strings,
    };
    writer.attributes(&span.attributes);

    let message = span.status.as_ref().map_or("", |status| &status.message);
    let dropped =
        span.dropped_attributes_count | span.dropped_events_count | span.dropped_links_count;
    let parts = [
        (span.status.is_some(), present::STATUS),
        (!message.is_empty(), present::STATUS_MESSAGE),
        (!span.trace_state.is_empty(), present::TRACE_STATE),
        (dropped > 0, present::DROPPED),
        (!span.events.is_empty(), present::EVENTS),
        (!span.links.is_empty(), present::LINKS),
    ];
    let presence = parts
        .iter()
        .filter(|(is_present, _)| *is_present)
        .fold(0, |all, (_, flag)| all | flag);
    writer.out.push(presence);

    if !message.is_empty() {
        writer.text(message);
    }
    if !span.trace_state.is_empty() {
        writer.text(&span.trace_state);
    }
    if dropped > 0 {
        writer.number(span.dropped_attributes_count.into());
        writer.number(span.dropped_events_count.into());
        writer.number(span.dropped_links_count.into());
    }
    if !span.events.is_empty() {
        writer.number(span.events.len() as u64);
        for event in &span.events {
            writer.event(event, span.start_time_unix_nano);
        }
    }
    if !span.links.is_empty() {
        writer.number(span.links.len() as u64);
        for link in &span.links {
            writer.link(link);
        }
    }
    let body = Box::from(scratch.as_slice());
    scratch.shrink_to(SCRATCH);
    body
}

/// Unpacks a whole body. `start` is the start time of its span.
pub(super) fn decode(bytes: &[u8], start: u64) -> Body<'_> {
    let mut body = Body::default();
    // What was written by `encode` is complete, so nothing is left out here.
    let _ = Reader { bytes }.body(&mut body, start);
    body
}

/// The attributes alone, one by one: what a search looks at.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    let mut reader = Reader { bytes };
    let mut left = reader.number().unwrap_or(0);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        reader.attribute()
    })
}

/// Gives every reference that the body holds back to `strings`.
pub(super) fn release(bytes: &[u8], strings: &mut Strings) {
    let body = decode(bytes, 0);
    let texts = body.status_message.into_iter().chain(body.trace_state);
    for text in texts.chain(body.links.iter().map(|link| link.trace_state)) {
        if let Text::Shared(symbol) = text {
            strings.release(symbol);
        }
    }
    let events = body.events.iter().map(|event| &event.attributes);
    let links = body.links.iter().map(|link| &link.attributes);
    for (key, value) in std::iter::once(&body.attributes)
        .chain(events)
        .chain(links)
        .flatten()
    {
        strings.release(*key);
        if let StoredValue::Text(Text::Shared(symbol)) = value {
            strings.release(*symbol);
        }
    }
    for event in &body.events {
        strings.release(event.name);
    }
}

struct Writer<'s> {
    out: &'s mut Vec<u8>,
    strings: &'s mut Strings,
}

impl Writer<'_> {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        if let Some(symbol) = self.strings.acquire_repeated(text) {
            self.out.push(tag::SHARED);
            self.number(symbol.number());
        } else {
            self.out.push(tag::INLINE);
            self.bytes(text.as_bytes());
        }
    }

    fn shared(&mut self, text: &str) {
        let symbol = self.strings.acquire(text);
        self.number(symbol.number());
    }

    fn attributes(&mut self, attributes: &[KeyValue]) {
        self.number(attributes.len() as u64);
        for attribute in attributes {
            self.shared(&attribute.key);
            self.value(attribute.value.as_ref());
        }
    }

    fn value(&mut self, value: Option<&AnyValue>) {
        let Some(any) = value else {
            return self.out.push(tag::EMPTY);
        };
        match &any.value {
            None => self.out.push(tag::EMPTY),
            Some(Value::StringValue(text)) => self.text(text),
            Some(Value::BoolValue(false)) => self.out.push(tag::FALSE),
            Some(Value::BoolValue(true)) => self.out.push(tag::TRUE),
            Some(Value::IntValue(number)) => {
                self.out.push(tag::INT);
                self.signed(*number);
            }
            Some(Value::DoubleValue(number)) => {
                self.out.push(tag::DOUBLE);
                self.out.extend_from_slice(&number.to_le_bytes());
            }
            Some(_) => {
                self.out.push(tag::ENCODED);
                let encoded = any.encode_to_vec();
                self.bytes(&encoded);
            }
        }
    }

    fn event(&mut self, event: &span::Event, start: u64) {
        self.signed(event.time_unix_nano.wrapping_sub(start) as i64);
        self.shared(&event.name);
        self.number(event.dropped_attributes_count.into());
        self.attributes(&event.attributes);
    }

    fn link(&mut self, link: &span::Link) {
        self.bytes(&link.trace_id);
        self.bytes(&link.span_id);
        self.text(&link.trace_state);
        self.number(link.flags.into());
        self.number(link.dropped_attributes_count.into());
        self.attributes(&link.attributes);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn body(&mut self, body: &mut Body<'a>, start: u64) -> Option<()> {
        body.attributes = self.attributes()?;
        let presence = self.byte()?;
        let has = |flag: u8| presence & flag != 0;
        body.has_status = has(present::STATUS);
        if has(present::STATUS_MESSAGE) {
            body.status_message = Some(self.text()?);
        }
        if has(present::TRACE_STATE) {
            body.trace_state = Some(self.text()?);
        }
        if has(present::DROPPED) {
            body.dropped_attributes = self.small()?;
            body.dropped_events = self.small()?;
            body.dropped_links = self.small()?;
        }
        if has(present::EVENTS) {
            for _ in 0..self.number()? {
                body.events.push(self.event(start)?);
            }
        }
        if has(present::LINKS) {
            for _ in 0..self.number()? {
                body.links.push(self.link()?);
            }
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(byte)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length.try_into().ok()?)
    }

    fn symbol(&mut self) -> Option<Symbol> {
        Symbol::from_number(self.number()?)
    }

    fn text(&mut self) -> Option<Text<'a>> {
        match self.value()? {
            StoredValue::Text(text) => Some(text),
            _ => None,
        }
    }

    fn attributes(&mut self) -> Option<Vec<Attribute<'a>>> {
        (0..self.number()?).map(|_| self.attribute()).collect()
    }

    fn attribute(&mut self) -> Option<Attribute<'a>> {
        Some((self.symbol()?, self.value()?))
    }

    fn value(&mut self) -> Option<StoredValue<'a>> {
        Some(match self.byte()? {
            tag::EMPTY => StoredValue::Empty,
            tag::INLINE => {
                StoredValue::Text(Text::Inline(std::str::from_utf8(self.sized()?).ok()?))
            }
            tag::SHARED => StoredValue::Text(Text::Shared(self.symbol()?)),
            tag::FALSE => StoredValue::Bool(false),
            tag::TRUE => StoredValue::Bool(true),
            tag::INT => StoredValue::Int(self.signed()?),
            tag::DOUBLE => StoredValue::Double(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            tag::ENCODED => StoredValue::Encoded(self.sized()?),
            _ => return None,
        })
    }

    fn event(&mut self, start: u64) -> Option<StoredEvent<'a>> {
        Some(StoredEvent {
            time: start.wrapping_add(self.signed()? as u64),
            name: self.symbol()?,
            dropped_attributes: self.small()?,
            attributes: self.attributes()?,
        })
    }

    fn link(&mut self) -> Option<StoredLink<'a>> {
        Some(StoredLink {
            trace_id: self.sized()?,
            span_id: self.sized()?,
            trace_state: self.text()?,
            flags: self.small()?,
            dropped_attributes: self.small()?,
            attributes: self.attributes()?,
        })
    }
}
