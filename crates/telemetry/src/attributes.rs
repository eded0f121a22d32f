//! Our own attribute keys, with what one needs to know before adding them somewhere new.
//! The keys of the semantic conventions come from `opentelemetry_semantic_conventions`.
//!
//! No attribute key is a string literal anywhere else, with one exception forced by
//! the macro: the `fields(…)` of `#[tracing::instrument]`.
//!
//! *Cardinality* says how many different values to expect: `low` may become a metric
//! label, `high` must not. *Sensitivity* says who may see the value: `public` and
//! `internal` leave the process as they are; `pseudonym` is not a name but stands for
//! a person.

pub use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE, EXCEPTION_TYPE,
};

/// The shop owner the work is done for. string · medium cardinality · internal.
pub const TENANT_ID: &str = "tenant.id";

/// The buyer, as a keyed pseudonym made by [`pseudonym`](crate::pseudonym), never the
/// account id itself. string · high cardinality · pseudonym.
pub const ENDUSER_PSEUDO_ID: &str =
    opentelemetry_semantic_conventions::attribute::ENDUSER_PSEUDO_ID;

/// The order. string (UUID) · high cardinality · internal.
pub const ORDER_ID: &str = "order.id";

/// How many lines the cart has. int · low cardinality · public.
pub const ORDER_ITEM_COUNT: &str = "order.item_count";

/// How many of the wanted item could still be sold; the smallest figure of the cart.
/// int · medium cardinality · internal.
pub const INVENTORY_ITEMS_AVAILABLE: &str = "inventory.items_available";

/// The amount charged, in the currency's minor unit. int · high cardinality · internal.
pub const PAYMENT_AMOUNT: &str = "payment.amount";

/// ISO 4217 code of the amount. string · low cardinality · public.
pub const PAYMENT_CURRENCY: &str = "payment.currency";

/// The plan the tenant pays for. string · low cardinality · internal.
pub const PAYMENT_PLAN: &str = "payment.plan";

/// The region the charge is made in. string · low cardinality · public.
pub const PAYMENT_REGION: &str = "payment.region";

/// The business stage that failed: `check_inventory`, `fraud_check`, `charge`, …
/// string · low cardinality · public.
///
/// The `error` namespace belongs to the conventions; this key stands in it because
/// it qualifies `error.type` and is read together with it.
pub const ERROR_STAGE: &str = "error.stage";

/// Which attempt of a retried call this is; 0 is the first. int · low cardinality · public.
pub const RETRY_ATTEMPT: &str = "retry.attempt";
