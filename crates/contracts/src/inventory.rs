//! What inventory's HTTP callers send and get. The tenant travels in the
//! [`crate::tenant::TENANT_HEADER`] header.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    ids::{OrderId, Sku},
    money::Money,
    orders::OrderLine,
};

/// The largest quantity of one line.
pub const MAX_QUANTITY: u32 = 10_000;

/// An item and how many of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The item.
    #[schema(example = "item_42")]
    pub sku: Sku,
    /// How many of it, 1 to 10,000.
    #[schema(minimum = 1, maximum = 10000, example = 1)]
    pub quantity: u32,
}

/// What is wrong with a cart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLines {
    /// The cart has no line.
    #[error("lines must not be empty")]
    Empty,
    /// The cart has more lines than [`crate::orders::MAX_LINES`].
    #[error("lines must be {max} at most, not {0}", max = crate::orders::MAX_LINES)]
    TooMany(usize),
    /// A quantity is out of range.
    #[error("quantity of {0} must be 1 to {MAX_QUANTITY}, not {1}")]
    Quantity(Sku, u32),
    /// An item stands in two lines.
    #[error("{0} stands in two lines; send it once with the sum of the quantities")]
    Duplicate(Sku),
}

/// Checks the lines of a cart: some, not too many, each item once, sane quantities.
///
/// # Errors
/// [`InvalidLines`] says what is wrong, in words for the caller.
pub fn check_lines(lines: &[Line]) -> Result<(), InvalidLines> {
    if lines.is_empty() {
        return Err(InvalidLines::Empty);
    }
    if lines.len() > crate::orders::MAX_LINES {
        return Err(InvalidLines::TooMany(lines.len()));
    }
    let mut seen = std::collections::HashSet::with_capacity(lines.len());
    for line in lines {
        if !(1..=MAX_QUANTITY).contains(&line.quantity) {
            return Err(InvalidLines::Quantity(line.sku.clone(), line.quantity));
        }
        if !seen.insert(&line.sku) {
            return Err(InvalidLines::Duplicate(line.sku.clone()));
        }
    }
    Ok(())
}

/// The body of `POST /reservations`. Asking again with the same order returns the same
/// reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReserveRequest {
    /// The order that the stock is held for.
    pub order_id: OrderId,
    /// What to hold; all of it, or nothing.
    pub lines: Vec<Line>,
}

/// Stock held for an order, with what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// The order that the stock is held for.
    pub order_id: OrderId,
    /// What is held, with its price.
    pub lines: Vec<OrderLine>,
    /// What the cart costs.
    pub total: Money,
    /// When the stock goes back if nothing else happens.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
}

/// One item of `GET /availability?sku=…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    /// The item.
    pub sku: Sku,
    /// How many can be reserved now.
    pub available: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, quantity: u32) -> Line {
        Line {
            sku: sku.parse().unwrap(),
            quantity,
        }
    }

    #[test]
    fn a_cart_has_lines_each_item_once_and_sane_quantities() {
        assert_eq!(
            check_lines(&[line("a", 1), line("b", MAX_QUANTITY)]),
            Ok(())
        );
        assert_eq!(check_lines(&[]), Err(InvalidLines::Empty));
        assert!(matches!(
            check_lines(&[line("a", 0)]),
            Err(InvalidLines::Quantity(..))
        ));
        assert!(matches!(
            check_lines(&[line("a", MAX_QUANTITY + 1)]),
            Err(InvalidLines::Quantity(..))
        ));
        assert!(matches!(
            check_lines(&[line("a", 1), line("a", 1)]),
            Err(InvalidLines::Duplicate(_))
        ));
        let many: Vec<Line> = (0..=crate::orders::MAX_LINES)
            .map(|n| line(&format!("i{n}"), 1))
            .collect();
        assert!(matches!(check_lines(&many), Err(InvalidLines::TooMany(_))));
    }
}
