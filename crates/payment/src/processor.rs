//! The card processor over HTTP, in Stripe's shapes. A third party: it gets no trace context
//! and no tenant.

mod answer;

use std::time::Duration;

use anyhow::Context;
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use telemetry::http_client::{self, Client, UrlTemplate};
use url::Url;

use crate::{
    Config,
    charge::{ChargeOutcome, Purchase},
};

const CHARGES: &str = "/v1/charges";
const RISK: &str = "/v1/risk";

/// A caller of the processor.
#[derive(Clone)]
pub(crate) struct Processor {
    client: Client,
    charges: Url,
    risk: Url,
    key: SecretString,
    fraud_timeout: Duration,
}

/// How likely a charge is fraud, in the processor's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Risk {
    Normal,
    Elevated,
    Highest,
    /// The token stands for no card.
    UnknownCard,
}

/// Why the processor gave no answer to go by. What it says in words stays out: it may repeat
/// what it was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessorError {
    #[error("the processor was not reached, or did not answer in time")]
    Unreached(#[source] reqwest_middleware::Error),
    #[error("the same charge is being made by another request")]
    InProgress,
    #[error("the order was charged with other details")]
    OtherRequest,
    #[error("the processor failed with status {0}")]
    Failed(StatusCode),
    #[error("the processor refused the request with status {0}")]
    Refused(StatusCode),
    #[error("the processor's answer with status {0} cannot be read")]
    Unreadable(StatusCode, #[source] serde_json::Error),
}

impl ProcessorError {
    /// Whether the same request may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreached(_) | Self::InProgress | Self::Failed(_) => true,
            Self::OtherRequest | Self::Refused(_) | Self::Unreadable(..) => false,
        }
    }

    /// Whether nobody answered the connection, so that the request was not even sent.
    pub(crate) fn is_connect(&self) -> bool {
        match self {
            Self::Unreached(reqwest_middleware::Error::Reqwest(error)) => error.is_connect(),
            _ => false,
        }
    }
}

#[derive(Serialize)]
struct RiskRequest<'a> {
    order_id: String,
    amount: i64,
    currency: String,
    card_token: &'a str,
}

#[derive(Serialize)]
struct ChargeForm<'a> {
    amount: i64,
    currency: String,
    source: &'a str,
    #[serde(rename = "metadata[order_id]")]
    order_id: String,
}

impl Processor {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let url = |path| {
            config.processor_url.join(path).with_context(|| {
                format!("the processor's URL {} takes no path", config.processor_url)
            })
        };
        Ok(Self {
            client: http_client::third_party(config.charge_timeout)?,
            charges: url(CHARGES)?,
            risk: url(RISK)?,
            key: config.processor_key.clone(),
            fraud_timeout: config.fraud_timeout,
        })
    }

    /// Asks how likely the purchase is fraud.
    pub(crate) async fn assess_risk(&self, purchase: &Purchase) -> Result<Risk, ProcessorError> {
        let request = self
            .client
            .post(self.risk.clone())
            .with_extension(UrlTemplate(RISK))
            .timeout(self.fraud_timeout)
            .bearer_auth(self.key.expose_secret())
            .json(&RiskRequest {
                order_id: purchase.order_id.to_string(),
                amount: purchase.amount.amount_minor,
                currency: currency(purchase),
                card_token: purchase.card.expose(),
            });
        let (status, body) = send(request).await?;
        answer::read_risk(status, &body)
    }

    /// Charges the card. However often it is sent, the processor charges an order once.
    pub(crate) async fn create_charge(
        &self,
        purchase: &Purchase,
    ) -> Result<ChargeOutcome, ProcessorError> {
        let request = self
            .client
            .post(self.charges.clone())
            .with_extension(UrlTemplate(CHARGES))
            .bearer_auth(self.key.expose_secret())
            .header(
                "Idempotency-Key",
                format!("{}:{}", purchase.tenant, purchase.order_id),
            )
            .form(&ChargeForm {
                amount: purchase.amount.amount_minor,
                currency: currency(purchase),
                source: purchase.card.expose(),
                order_id: purchase.order_id.to_string(),
            });
        let (status, body) = send(request).await?;
        answer::read_charge(status, &body)
    }
}

async fn send(
    request: reqwest_middleware::RequestBuilder,
) -> Result<(StatusCode, Vec<u8>), ProcessorError> {
    let response = request.send().await.map_err(ProcessorError::Unreached)?;
    let status = response.status();
    let body = response
        .bytes()
        .await
        .map_err(|error| ProcessorError::Unreached(error.into()))?;
    Ok((status, body.into()))
}

/// The processor writes currencies in small letters.
fn currency(purchase: &Purchase) -> String {
    purchase.amount.currency.code().to_ascii_lowercase()
}
