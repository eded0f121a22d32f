//! A place in the JSON that knows its path, so that errors can name it.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value as Json;

use super::{ParseError, Problem};
use crate::{Attributes, SpanId, TraceId, Value};

/// Padding is optional: Tempo writes it, some clients strip it.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// A value and the way to it. The way is a chain of borrowed steps: it costs nothing
/// until an error asks for it.
pub(super) struct At<'a> {
    json: &'a Json,
    step: Step<'a>,
}

enum Step<'a> {
    Root,
    Key(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

/// An enumeration as it is written: by name or by number.
pub(super) enum Word<'a> {
    Text(&'a str),
    Number(u64),
}

impl<'a> At<'a> {
    pub(super) fn root(json: &'a Json) -> Self {
        Self {
            json,
            step: Step::Root,
        }
    }

    /// The field `key`; `null` counts as absent.
    pub(super) fn get(&'a self, key: &'a str) -> Option<Self> {
        let json = self.json.get(key).filter(|json| !json.is_null())?;
        Some(Self {
            json,
            step: Step::Key(self, key),
        })
    }

    /// The element `index`; `null` counts as absent.
    pub(super) fn item(&'a self, index: usize) -> Option<Self> {
        let json = self.json.get(index).filter(|json| !json.is_null())?;
        Some(Self {
            json,
            step: Step::Item(self, index),
        })
    }

    pub(super) fn required(&'a self, key: &'a str) -> Result<Self, ParseError> {
        self.get(key).ok_or_else(|| ParseError::Field {
            at: join(&self.path(), key),
            problem: Problem::Missing,
        })
    }

    pub(super) fn array(&self) -> Result<&'a Vec<Json>, ParseError> {
        self.json.as_array().ok_or_else(|| self.expected("a list"))
    }

    /// Reads every element of the list `key`; no list is an empty one.
    pub(super) fn each<T>(
        &'a self,
        key: &'a str,
        mut read: impl FnMut(&At<'_>) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        let Some(list) = self.get(key) else {
            return Ok(Vec::new());
        };
        let count = list.array()?.len();
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            if let Some(item) = list.item(index) {
                values.push(read(&item)?);
            }
        }
        Ok(values)
    }

    pub(super) fn text(&'a self, key: &'a str) -> Result<Option<&'a str>, ParseError> {
        match self.get(key) {
            None => Ok(None),
            Some(field) => match field.json.as_str() {
                Some(text) => Ok(Some(text)),
                None => Err(field.expected("a text")),
            },
        }
    }

    /// A number that may be written as text, as protobuf's JSON does for 64 bits.
    pub(super) fn unsigned(&'a self, key: &'a str) -> Result<u64, ParseError> {
        let Some(field) = self.get(key) else {
            return Ok(0);
        };
        let number = match field.json {
            Json::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
            Json::String(text) if text.is_empty() => Some(0),
            Json::String(text) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| field.expected("a whole number from 0 on"))
    }

    pub(super) fn word_or_number(&self) -> Result<Word<'a>, ParseError> {
        match self.json {
            Json::String(text) => Ok(match text.parse() {
                Ok(number) => Word::Number(number),
                Err(_) => Word::Text(text),
            }),
            Json::Number(number) => number
                .as_u64()
                .map(Word::Number)
                .ok_or_else(|| self.expected("a whole number from 0 on")),
            _ => Err(self.expected("a name or a number")),
        }
    }

    pub(super) fn is_empty_text(&self) -> bool {
        self.json.as_str() == Some("")
    }

    pub(super) fn trace_id(&self) -> Result<TraceId, ParseError> {
        self.id()
            .map(TraceId::from_bytes)
            .ok_or_else(|| self.expected("a trace id: 32 hexadecimal digits or 16 bytes in base64"))
    }

    pub(super) fn span_id(&self) -> Result<SpanId, ParseError> {
        self.id()
            .map(SpanId::from_bytes)
            .ok_or_else(|| self.expected("a span id: 16 hexadecimal digits or 8 bytes in base64"))
    }

    /// Hexadecimal takes two characters a byte, which base64 of the same bytes never does.
    fn id<const LENGTH: usize>(&self) -> Option<[u8; LENGTH]> {
        let text = self.json.as_str()?;
        let mut bytes = [0; LENGTH];
        if text.len() == 2 * LENGTH {
            hex::decode_to_slice(text, &mut bytes).ok()?;
            return Some(bytes);
        }
        base64(text)?.try_into().ok()
    }

    /// OTLP's list of key and value.
    pub(super) fn attributes(&'a self, key: &'a str) -> Result<Attributes, ParseError> {
        let pairs = self.each(key, |pair| {
            let key = pair.text("key")?.unwrap_or_default().to_owned();
            let value = match pair.get("value") {
                Some(value) => value.value()?,
                None => Value::Null,
            };
            Ok((key, value))
        })?;
        Ok(pairs.into_iter().collect())
    }

    /// OTLP's `AnyValue`. Nesting is bounded by the JSON reader's own limit.
    fn value(&self) -> Result<Value, ParseError> {
        if let Some(text) = self.text("stringValue")? {
            return Ok(Value::Str(text.to_owned()));
        }
        if let Some(field) = self.get("intValue") {
            let number = match field.json {
                Json::Number(number) => number.as_i64(),
                Json::String(text) => text.parse().ok(),
                _ => None,
            };
            return number
                .map(Value::Int)
                .ok_or_else(|| field.expected("a whole number"));
        }
        if let Some(field) = self.get("doubleValue") {
            let number = match field.json {
                Json::Number(number) => number.as_f64(),
                // "NaN", "Infinity", "-Infinity" and numbers written as text.
                Json::String(text) => text.parse().ok(),
                _ => None,
            };
            return number
                .map(Value::Double)
                .ok_or_else(|| field.expected("a number"));
        }
        if let Some(field) = self.get("boolValue") {
            let value = field.json.as_bool();
            return value
                .map(Value::Bool)
                .ok_or_else(|| field.expected("true or false"));
        }
        if let Some(field) = self.get("bytesValue") {
            return field
                .json
                .as_str()
                .and_then(base64)
                .map(Value::Bytes)
                .ok_or_else(|| field.expected("bytes in base64"));
        }
        if let Some(array) = self.get("arrayValue") {
            return Ok(Value::Array(array.each("values", |value| value.value())?));
        }
        if let Some(map) = self.get("kvlistValue") {
            return Ok(Value::Map(map.attributes("values")?));
        }
        Ok(Value::Null)
    }

    pub(super) fn expected(&self, expected: &'static str) -> ParseError {
        ParseError::Field {
            at: self.path(),
            problem: Problem::Expected {
                expected,
                found: describe(self.json),
            },
        }
    }

    fn path(&self) -> String {
        match &self.step {
            Step::Root => String::new(),
            Step::Key(parent, key) => join(&parent.path(), key),
            Step::Item(parent, index) => format!("{}[{index}]", parent.path()),
        }
    }
}

fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64
        .decode(text)
        .or_else(|_| BASE64_URL.decode(text))
        .ok()
}

/// Some writers send 64-bit numbers as floats; precision is lost on their side already.
fn whole(number: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "checked to lie within u64"
    )]
    (number >= 0.0 && number < u64::MAX as f64).then_some(number as u64)
}

/// A value as an error message shows it: its kind, and itself when it is short.
pub(super) fn describe(json: &Json) -> String {
    match json {
        Json::Null => "nothing".to_owned(),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "an object".to_owned(),
        Json::String(text) => {
            let short: String = text.chars().take(40).collect();
            format!("{short:?}")
        }
        Json::Bool(_) | Json::Number(_) => json.to_string(),
    }
}
