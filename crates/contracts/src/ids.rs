//! Identifiers, parsed where they enter a process and trusted afterwards.

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why a text is not the identifier it was given for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
pub struct InvalidId {
    /// Name of the field, as the caller knows it.
    pub field: &'static str,
    /// What a valid value looks like.
    pub rule: &'static str,
}

/// An identifier that is a short plain text.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $field:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId { field: $field, rule: $rule })
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

text_id!(
    /// A shop owner. Every request belongs to one, and so does every row.
    TenantId,
    "tenant_id",
    "must be 1 to 64 letters, digits, `_` or `-`",
    is_name
);

text_id!(
    /// A stock keeping unit: what a cart line asks for.
    Sku,
    "sku",
    "must be 1 to 64 letters, digits, `_` or `-`",
    is_name
);

text_id!(
    /// Chosen by the caller of `POST /checkout`: the same key means the same checkout.
    IdempotencyKey,
    "Idempotency-Key",
    "must be 1 to 255 printable ASCII characters without spaces",
    |text| (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
);

impl IdempotencyKey {
    /// A key that nobody else has, for a caller that sent none.
    #[must_use]
    pub fn generate() -> Self {
        Self(format!("generated-{}", Uuid::new_v4()))
    }
}

/// The record of one checkout.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
pub struct OrderId(Uuid);

impl OrderId {
    /// A new id; later ids sort after earlier ones.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id as the database stores it.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for OrderId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for OrderId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidId {
            field: "order_id",
            rule: "must be a UUID",
        })
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Stands for a card at the processor. A card number is refused where it enters, and the
/// token itself never shows in logs or telemetry.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, example = "tok_visa")]
pub struct CardToken(SecretString);

impl CardToken {
    /// The token, to send it to the one who charges it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl TryFrom<String> for CardToken {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        let invalid = |rule| InvalidId {
            field: "card_token",
            rule,
        };
        let name = text.strip_prefix("tok_").ok_or(invalid(
            "must be a token that starts with `tok_`, never a card number",
        ))?;
        // Twelve digits are the fewest a card number has: a token that carries them may be one.
        if name.bytes().filter(u8::is_ascii_digit).count() >= 12
            && !name.bytes().any(|b| b.is_ascii_alphabetic())
        {
            return Err(invalid(
                "looks like a card number; send the processor's token for it",
            ));
        }
        if is_name(&text) {
            Ok(Self(SecretString::from(text)))
        } else {
            Err(invalid("must be 1 to 64 letters, digits, `_` or `-`"))
        }
    }
}

impl FromStr for CardToken {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Debug for CardToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardToken([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert!("item_42".parse::<Sku>().is_ok());
        for bad in ["", "a b", "é", &"x".repeat(65), "a\nb", "a:b"] {
            assert!(bad.parse::<Sku>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_card_number_is_not_a_token() {
        for bad in [
            "4242424242424242",
            "tok_4242424242424242",
            "tok_4242-4242-4242-4242",
            "visa",
            "",
        ] {
            assert!(bad.parse::<CardToken>().is_err(), "{bad:?}");
        }
        assert!("tok_visa".parse::<CardToken>().is_ok());
    }

    #[test]
    fn a_card_token_does_not_show_in_debug_output() {
        let token: CardToken = "tok_visa".parse().unwrap();
        assert_eq!(format!("{token:?}"), "CardToken([REDACTED])");
    }
}
