//! The two identifiers of a span, parsed once at the edge.
//! Everything behind the edge works with valid, fixed-size ids only.

use std::fmt;

/// A valid trace id: sixteen bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

/// A valid span id: eight bytes, not all zero, kept as a big-endian number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(u64);

/// Why a text is not a trace id. The wording is that of Tempo's answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTraceId {
    /// A character outside `0-9a-fA-F`; the position counts from one.
    #[error(
        "trace IDs can only contain hex characters: invalid character '{character}' at position {position}"
    )]
    NotHex {
        /// The first offending character.
        character: char,
        /// Its position, counted from one.
        position: usize,
    },
    /// More than 32 hex digits.
    #[error("trace IDs can't be larger than 128 bits")]
    TooLong,
}

impl TraceId {
    /// Accepts exactly sixteen bytes that are not all zero, as OTLP demands.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let id: [u8; 16] = bytes.try_into().ok()?;
        (id != [0; 16]).then_some(Self(id))
    }

    /// Reads a hex id of up to 32 digits, with or without its leading zeros.
    ///
    /// # Errors
    /// Says which character is not hex, or that the id is too long.
    pub fn parse(text: &str) -> Result<Self, InvalidTraceId> {
        if let Some((index, character)) = text
            .chars()
            .enumerate()
            .find(|(_, character)| !character.is_ascii_hexdigit())
        {
            return Err(InvalidTraceId::NotHex {
                character,
                position: index + 1,
            });
        }
        if text.len() > 32 {
            return Err(InvalidTraceId::TooLong);
        }
        let number = u128::from_str_radix(text, 16).unwrap_or(0);
        Ok(Self(number.to_be_bytes()))
    }

    /// The sixteen bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Hex without leading zeros, the form of Tempo's search answers.
    #[must_use]
    pub fn trimmed(self) -> String {
        self.to_string().trim_start_matches('0').to_owned()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl SpanId {
    /// Accepts exactly eight bytes that are not all zero.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let id: [u8; 8] = bytes.try_into().ok()?;
        Self::from_number(u64::from_be_bytes(id))
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// The eight bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_read_with_and_without_leading_zeros_in_either_case() {
        let full = TraceId::parse("000000000000000000000000000000Ab").unwrap();
        assert_eq!(full, TraceId::parse("aB").unwrap());
        assert_eq!(full.trimmed(), "ab");
        assert_eq!(full.to_string(), "000000000000000000000000000000ab");
    }

    #[test]
    fn a_bad_trace_id_says_what_is_wrong() {
        assert_eq!(
            TraceId::parse("12x4").unwrap_err().to_string(),
            "trace IDs can only contain hex characters: invalid character 'x' at position 3"
        );
        assert_eq!(
            TraceId::parse(&"a".repeat(33)).unwrap_err(),
            InvalidTraceId::TooLong
        );
        assert!(TraceId::parse("+1").is_err());
    }

    #[test]
    fn zero_and_wrong_lengths_are_no_ids() {
        assert_eq!(TraceId::from_bytes(&[0; 16]), None);
        assert_eq!(TraceId::from_bytes(&[1; 15]), None);
        assert_eq!(SpanId::from_bytes(&[0; 8]), None);
        assert_eq!(SpanId::from_bytes(&[1; 9]), None);
    }
}
