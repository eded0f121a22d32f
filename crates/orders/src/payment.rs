//! Payment, over gRPC: charge the card of an order.

use std::time::Duration;

use contracts::{
    ids::{CardToken, OrderId},
    money::Money,
    payment::{ChargeRequest, charge_response::Outcome, payment_client},
};
use telemetry::grpc_client::{self, Channel};
use tonic::Status;
use url::Url;

use crate::tenant::Tenant;

/// Longer than any checkout's deadline: the deadline decides, not this.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A caller of payment.
#[derive(Clone)]
pub(crate) struct PaymentClient {
    client: payment_client::PaymentClient<Channel>,
}

/// How a charge ends when nothing fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChargeOutcome {
    Captured,
    /// The issuer said no, with its code.
    Declined(String),
}

/// Why the card was neither charged nor declined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PaymentError {
    #[error("payment answered {}", .0.code())]
    Failed(#[source] Status),
    #[error("payment's answer has no outcome")]
    NoOutcome,
}

impl PaymentClient {
    pub(crate) fn new(payment: &Url) -> anyhow::Result<Self> {
        let channel = grpc_client::channel(payment, TIMEOUT)?;
        Ok(Self {
            client: payment_client::PaymentClient::new(channel),
        })
    }

    /// Charges the card once for this order, however often it is asked.
    pub(crate) async fn charge(
        &self,
        tenant: &Tenant,
        order_id: OrderId,
        total: Money,
        card: &CardToken,
    ) -> Result<ChargeOutcome, PaymentError> {
        let request = ChargeRequest {
            tenant_id: tenant.id.to_string(),
            order_id: order_id.to_string(),
            amount_minor: total.amount_minor,
            currency: total.currency.code().to_owned(),
            card_token: card.expose().to_owned(),
            plan: tenant.plan.clone(),
            region: tenant.region.clone(),
        };
        let response = self
            .client
            .clone()
            .charge(request)
            .await
            .map_err(PaymentError::Failed)?;
        match response.into_inner().outcome {
            Some(Outcome::Captured(_)) => Ok(ChargeOutcome::Captured),
            Some(Outcome::Declined(declined)) => Ok(ChargeOutcome::Declined(declined.decline_code)),
            None => Err(PaymentError::NoOutcome),
        }
    }
}
