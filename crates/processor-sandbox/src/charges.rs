//! `POST /v1/charges`: a form in, a charge or the processor's error out.

mod form;

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    answer::{Answer, ProcessorError, check_key},
    faults::Resource,
    replay::{Claim, Lookup},
    tokens::{ChargeResult, RiskResult, risk_level},
};

pub(crate) use form::{ChargeRequest, read_source};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const MAX_KEY_LENGTH: usize = 255;

/// A charge that was tried.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Charge {
    id: String,
    object: &'static str,
    amount: i64,
    amount_captured: i64,
    amount_refunded: i64,
    captured: bool,
    created: i64,
    currency: String,
    description: Option<String>,
    failure_code: Option<&'static str>,
    failure_message: Option<&'static str>,
    livemode: bool,
    metadata: BTreeMap<String, String>,
    outcome: Outcome,
    paid: bool,
    payment_method_details: PaymentMethodDetails,
    refunded: bool,
    status: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct Outcome {
    network_status: &'static str,
    reason: Option<&'static str>,
    risk_level: &'static str,
    r#type: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct PaymentMethodDetails {
    card: Card,
    r#type: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct Card {
    brand: &'static str,
    last4: &'static str,
}

/// `POST /v1/charges`.
pub(crate) async fn create(
    State(state): State<crate::State>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Result<Response, ProcessorError> {
    check_key(&headers)?;
    let Form(form) = form.map_err(|rejection| ProcessorError::unreadable(rejection.body_text()))?;
    let request = ChargeRequest::parse(form)?;
    let claim = match read_key(&headers)? {
        None => None,
        Some(key) => match state.replay.look_up(key, &request) {
            Lookup::New(claim) => Some(claim),
            Lookup::Known(answer) => {
                return Ok(([(IDEMPOTENT_REPLAYED, "true")], answer).into_response());
            }
            Lookup::InUse => return Err(ProcessorError::key_in_use()),
            Lookup::OtherRequest => return Err(ProcessorError::key_reused()),
        },
    };
    // A processor finishes a charge, whether or not its caller still waits for the answer.
    let charging = state
        .background
        .clone()
        .finish(charge(state, request, claim));
    match charging.await {
        Ok(answer) => Ok(answer.into_response()),
        Err(error) => {
            tracing::error!(%error, "a charge broke off");
            Err(ProcessorError::api(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

async fn charge(state: crate::State, request: ChargeRequest, claim: Option<Claim>) -> Answer {
    if state.network.cross(Resource::Charges).await.is_err() {
        return ProcessorError::api(StatusCode::INTERNAL_SERVER_ERROR).answer();
    }
    let result = request.source.charge_result();
    if result == ChargeResult::Hangs {
        state.network.hang().await;
    }
    let answer = match result {
        ChargeResult::Succeeds | ChargeResult::Hangs => {
            let charge = Charge::succeeded(request);
            state.ledger.keep(charge.clone());
            Answer::json(StatusCode::OK, &charge)
        }
        ChargeResult::Declines {
            code,
            decline_code,
            message,
        } => {
            let charge = Charge::declined(request, code, decline_code, message);
            let error = ProcessorError::card(code, decline_code, message, charge.id.clone());
            state.ledger.keep(charge);
            error.answer()
        }
        ChargeResult::Fails => ProcessorError::api(StatusCode::INTERNAL_SERVER_ERROR).answer(),
    };
    if let Some(claim) = claim {
        claim.answer(&answer);
    }
    answer
}

fn read_key(headers: &HeaderMap) -> Result<Option<&str>, ProcessorError> {
    let invalid = || {
        ProcessorError::unreadable(format!(
            "Idempotency-Key must be 1 to {MAX_KEY_LENGTH} printable ASCII characters."
        ))
    };
    headers
        .get(IDEMPOTENCY_KEY)
        .map(|key| key.to_str().map_err(|_| invalid()))
        .transpose()?
        .map(|key| {
            if (1..=MAX_KEY_LENGTH).contains(&key.len()) {
                Ok(key)
            } else {
                Err(invalid())
            }
        })
        .transpose()
}

impl Charge {
    fn succeeded(request: ChargeRequest) -> Self {
        let risk_level = match request.source.risk_result() {
            RiskResult::Score(score) => risk_level(score),
            RiskResult::Unavailable | RiskResult::Flaky => "normal",
        };
        Self {
            id: format!("ch_{}", Uuid::new_v4().simple()),
            object: "charge",
            amount: request.amount,
            amount_captured: request.amount,
            amount_refunded: 0,
            captured: true,
            created: OffsetDateTime::now_utc().unix_timestamp(),
            currency: request.currency,
            description: request.description,
            failure_code: None,
            failure_message: None,
            livemode: false,
            metadata: request.metadata,
            outcome: Outcome {
                network_status: "approved_by_network",
                reason: None,
                risk_level,
                r#type: "authorized",
            },
            paid: true,
            payment_method_details: PaymentMethodDetails {
                card: Card {
                    brand: request.source.brand(),
                    last4: request.source.last4(),
                },
                r#type: "card",
            },
            refunded: false,
            status: "succeeded",
        }
    }

    fn declined(
        request: ChargeRequest,
        code: &'static str,
        decline_code: &'static str,
        message: &'static str,
    ) -> Self {
        let charge = Self::succeeded(request);
        Self {
            amount_captured: 0,
            captured: false,
            failure_code: Some(code),
            failure_message: Some(message),
            outcome: Outcome {
                network_status: "declined_by_network",
                reason: Some(decline_code),
                r#type: "issuer_declined",
                ..charge.outcome
            },
            paid: false,
            status: "failed",
            ..charge
        }
    }

    pub(crate) fn order_id(&self) -> Option<&str> {
        self.metadata.get("order_id").map(String::as_str)
    }
}
