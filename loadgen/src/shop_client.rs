//! A caller of the shop's edge.

use std::{fmt, time::Duration};

use anyhow::Context;
use contracts::{orders::Order, problem::Problem};
use serde_json::{Value, json};
use telemetry::http_client::{self, Client};
use uuid::Uuid;

/// A cart to check out.
#[derive(Debug, Clone)]
pub struct Cart {
    /// Items and quantities.
    pub lines: Vec<(String, u32)>,
    /// The processor's token for the card.
    pub card_token: String,
    /// The buyer.
    pub user_id: Option<String>,
}

impl Cart {
    /// One item 42, paid with a card that works.
    #[must_use]
    pub fn item_42() -> Self {
        Self {
            lines: vec![("item_42".to_owned(), 1)],
            card_token: "tok_visa".to_owned(),
            user_id: Some("user_7".to_owned()),
        }
    }

    fn body(&self) -> Value {
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity }))
            .collect();
        json!({ "lines": lines, "card_token": self.card_token, "user_id": self.user_id })
    }
}

/// How a checkout ended.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The order was placed.
    Placed(Box<Order>),
    /// It was refused or failed, and the body says why.
    Problem(Box<Problem>),
}

impl Answer {
    /// The trace that shows how it happened.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        match self {
            Self::Placed(order) => order.trace_id.as_deref(),
            Self::Problem(problem) => problem.trace_id.as_deref(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Placed(order) => write!(
                f,
                "201 order {} placed, {} charged",
                order.order_id, order.total
            ),
            Self::Problem(problem) => {
                write!(f, "{} {}: {}", problem.status, problem.code, problem.detail)?;
                if let Some(code) = &problem.decline_code {
                    write!(f, " ({code})")?;
                }
                write!(f, "\n    {}", problem.advice)
            }
        }
    }
}

/// A caller with the API key of one tenant.
#[derive(Debug, Clone)]
pub struct ShopClient {
    client: Client,
    orders_url: String,
    api_key: String,
}

impl ShopClient {
    /// A caller of orders behind this URL.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(orders_url: &str, api_key: String) -> anyhow::Result<Self> {
        Ok(Self {
            client: http_client::third_party(Duration::from_secs(30))?,
            orders_url: orders_url.trim_end_matches('/').to_owned(),
            api_key,
        })
    }

    /// Checks out a cart, once.
    ///
    /// # Errors
    /// When orders does not answer, or with something that is neither an order nor a problem.
    pub async fn checkout(&self, cart: &Cart) -> anyhow::Result<Answer> {
        let url = format!("{}/checkout", self.orders_url);
        let answer = self
            .client
            .post(&url)
            .bearer_auth(&self.api_key)
            .header("idempotency-key", Uuid::new_v4().to_string())
            .json(&cart.body())
            .send()
            .await
            .with_context(|| {
                format!("{url} does not answer; start the stack with `cargo shop up`, or name another with --orders-url")
            })?;
        let status = answer.status();
        let body = answer
            .bytes()
            .await
            .with_context(|| format!("{url} broke off its answer"))?;
        let parsed = if status.is_success() {
            serde_json::from_slice(&body).map(|order| Answer::Placed(Box::new(order)))
        } else {
            serde_json::from_slice(&body).map(|problem| Answer::Problem(Box::new(problem)))
        };
        parsed.with_context(|| {
            format!("{url} answered {status} with a body that is neither an order nor a problem")
        })
    }
}
