//! What callers of orders send and get.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    ids::{CardToken, OrderId, Sku},
    inventory::Line,
    money::Money,
};

/// The most lines a cart may have.
pub const MAX_LINES: usize = 100;

/// The body of `POST /checkout`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// One to 100 lines, each item once.
    #[schema(min_items = 1, max_items = 100)]
    pub lines: Vec<Line>,
    /// The processor's token for the card, never a card number.
    pub card_token: CardToken,
    /// The buyer, in the words of the tenant. It is stored with the order; telemetry sees a
    /// pseudonym only.
    #[serde(default)]
    #[schema(max_length = 128, example = "user_7")]
    pub user_id: Option<String>,
}

/// How far an order has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// The card was charged and the order stored.
    Paid,
}

/// One line of an order with its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderLine {
    /// The item.
    pub sku: Sku,
    /// How many of it.
    pub quantity: u32,
    /// Price of one, in minor units.
    pub unit_price_minor: i64,
    /// Price of the line after discounts, in minor units.
    pub total_minor: i64,
}

/// The answer of `POST /checkout` and `GET /orders/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// The order's id.
    pub order_id: OrderId,
    /// How far the order has come.
    pub status: OrderStatus,
    /// What was bought.
    pub lines: Vec<OrderLine>,
    /// What the card was charged.
    pub total: Money,
    /// When the order was stored.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: OffsetDateTime,
    /// The trace of the checkout that made the order.
    pub trace_id: Option<String>,
}
