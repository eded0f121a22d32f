//! The story: fraud check, charge, books. An order is charged once, and asking again gets the
//! first answer. A declined card is an answer, not an error.

use std::time::Duration;

use contracts::{
    ids::{CardToken, OrderId, TenantId},
    money::Money,
};
use telemetry::Retry;

use crate::{
    State,
    error::ChargeError,
    processor::{ProcessorError, Risk},
    store::{self, Payment},
};

/// The fraud check fails now and then; a checkout should not, because of it.
const FRAUD_CHECK: Retry = Retry::new(3).base_delay(Duration::from_millis(50));

/// While another request charges the same order, the processor says so: long enough to hear how
/// it ended, unless that takes a second or two.
const CHARGE: Retry = Retry::new(8)
    .base_delay(Duration::from_millis(50))
    .max_delay(Duration::from_millis(500));

/// What is to be paid, and with which card.
pub(crate) struct Purchase {
    pub(crate) tenant: TenantId,
    pub(crate) order_id: OrderId,
    pub(crate) amount: Money,
    pub(crate) card: CardToken,
    pub(crate) plan: String,
    pub(crate) region: String,
}

/// How a charge ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChargeOutcome {
    /// The processor took the money.
    Captured { processor_charge_id: String },
    /// It said no, and why.
    Declined { decline_code: String },
}

impl ChargeOutcome {
    fn declined(decline_code: &str) -> Self {
        Self::Declined {
            decline_code: decline_code.to_owned(),
        }
    }
}

/// Charges the card of an order, once.
#[tracing::instrument(name = "processPayment", skip_all, fields(
    tenant.id = %purchase.tenant,
    order.id = %purchase.order_id,
    payment.amount = purchase.amount.amount_minor,
    payment.currency = purchase.amount.currency.code(),
    payment.plan = purchase.plan,
    payment.region = purchase.region,
))]
pub(crate) async fn charge(state: &State, purchase: &Purchase) -> Result<Payment, ChargeError> {
    let charged = process_payment(state, purchase).await;
    if let Err(error) = &charged {
        telemetry::record_failure(error);
    }
    charged
}

async fn process_payment(state: &State, purchase: &Purchase) -> Result<Payment, ChargeError> {
    if let Some(payment) =
        store::find_payment(&state.db, &purchase.tenant, purchase.order_id).await?
    {
        return first_answer(payment, purchase);
    }
    let outcome = match check_fraud(state, purchase).await? {
        Risk::Normal | Risk::Elevated => create_charge(state, purchase).await?,
        Risk::Highest => ChargeOutcome::declined("fraudulent"),
        Risk::UnknownCard => ChargeOutcome::declined("invalid_token"),
    };
    if let Some(payment) = store::insert_payment(&state.db, purchase, outcome).await? {
        return Ok(payment);
    }
    // Another request for the same order was faster; the processor charged once for both.
    let payment = store::find_payment(&state.db, &purchase.tenant, purchase.order_id).await?;
    first_answer(payment.ok_or(ChargeError::OtherPurchase)?, purchase)
}

/// The payment that is there, unless the caller means another one.
fn first_answer(payment: Payment, purchase: &Purchase) -> Result<Payment, ChargeError> {
    if payment.amount == purchase.amount {
        Ok(payment)
    } else {
        Err(ChargeError::OtherPurchase)
    }
}

#[tracing::instrument(name = "fraud.check", skip_all, fields(
    tenant.id = %purchase.tenant,
    order.id = %purchase.order_id,
))]
async fn check_fraud(state: &State, purchase: &Purchase) -> Result<Risk, ChargeError> {
    let checked = FRAUD_CHECK
        .run(
            || state.processor.assess_risk(purchase),
            ProcessorError::may_pass,
        )
        .await
        .map_err(ChargeError::FraudCheck);
    if let Err(error) = &checked {
        telemetry::record_failure(error);
    }
    checked
}

#[tracing::instrument(name = "stripe.ChargeCreate", skip_all, fields(
    tenant.id = %purchase.tenant,
    order.id = %purchase.order_id,
    payment.amount = purchase.amount.amount_minor,
    payment.currency = purchase.amount.currency.code(),
))]
async fn create_charge(state: &State, purchase: &Purchase) -> Result<ChargeOutcome, ChargeError> {
    let mut connected_again = false;
    let charged = CHARGE
        .run(
            || state.processor.create_charge(purchase),
            |error| match error {
                ProcessorError::InProgress => true,
                // A processor that fails is not asked again within this checkout: the caller
                // may, with the same order, and still is charged once.
                error => error.is_connect() && !std::mem::replace(&mut connected_again, true),
            },
        )
        .await
        .map_err(ChargeError::from_processor);
    match &charged {
        Ok(ChargeOutcome::Captured { .. }) => {}
        Ok(ChargeOutcome::Declined { .. }) => telemetry::event("card declined", []),
        Err(error) => telemetry::record_failure(error),
    }
    charged
}
