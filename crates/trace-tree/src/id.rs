//! Trace and span ids: bytes inside, lower-case hexadecimal outside.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} hexadecimal digits, found {found:?}")]
pub struct IdError {
    expected: usize,
    found: String,
}

macro_rules! id {
    ($name:ident, $bytes:literal, $what:literal) => {
        #[doc = $what]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// How many bytes the id has.
            pub const LENGTH: usize = $bytes;

            /// The id made of these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes of the id.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            /// Whether all bytes are zero, which the specification calls "no id".
            #[must_use]
            pub fn is_zero(self) -> bool {
                self.0 == [0; $bytes]
            }
        }

        impl From<[u8; $bytes]> for $name {
            fn from(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError {
                    expected: 2 * $bytes,
                    found: text.chars().take(64).collect(),
                })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

id!(TraceId, 16, "The id that all spans of one trace share.");
id!(SpanId, 8, "The id of one span, unique within its trace.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_what_it_writes() {
        let text = "4bf92f3577b34da6a3ce929d0e0e4736";
        let id: TraceId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert!(!id.is_zero());
        assert!(SpanId::default().is_zero());
    }

    #[test]
    fn a_text_that_is_no_id_is_named_in_the_error() {
        let error = "4bf9".parse::<SpanId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected 16 hexadecimal digits, found \"4bf9\""
        );
        assert!("zzf92f3577b34da6".parse::<SpanId>().is_err());
    }
}
