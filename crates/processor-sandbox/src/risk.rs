//! `POST /v1/risk`: how likely a charge is fraud.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};

use crate::{
    answer::{ProcessorError, check_key},
    card_number::looks_like_card_number,
    charges::read_source,
    faults::Resource,
    tokens::{RiskResult, risk_level},
};

/// Orders whose first question is remembered.
const MAX_ORDERS: usize = 10_000;

/// The score of a card that shows nothing suspicious.
const NORMAL_SCORE: u8 = 12;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RiskRequest {
    order_id: String,
    #[expect(
        dead_code,
        reason = "part of the shape; the sandbox judges by the token alone"
    )]
    amount: i64,
    #[expect(
        dead_code,
        reason = "part of the shape; the sandbox judges by the token alone"
    )]
    currency: String,
    card_token: String,
}

#[derive(Serialize)]
pub(crate) struct Assessment {
    score: u8,
    level: &'static str,
}

/// `POST /v1/risk`.
pub(crate) async fn assess(
    State(state): State<crate::State>,
    headers: HeaderMap,
    request: Result<Json<RiskRequest>, JsonRejection>,
) -> Result<Json<Assessment>, ProcessorError> {
    check_key(&headers)?;
    let Json(request) =
        request.map_err(|rejection| ProcessorError::unreadable(rejection.body_text()))?;
    if looks_like_card_number(&request.card_token) {
        return Err(ProcessorError::invalid(
            "card_data_refused",
            "card_token",
            "Sending card numbers directly to this API is not allowed. Send a token such as tok_visa.",
        ));
    }
    let token = read_source(&request.card_token, "card_token")?;
    let unavailable = || ProcessorError::api(StatusCode::SERVICE_UNAVAILABLE);
    state
        .network
        .cross(Resource::Risk)
        .await
        .map_err(|_| unavailable())?;
    let score = match token.risk_result() {
        RiskResult::Score(score) => score,
        RiskResult::Unavailable => return Err(unavailable()),
        RiskResult::Flaky if state.flaky.is_first(&request.order_id) => return Err(unavailable()),
        RiskResult::Flaky => NORMAL_SCORE,
    };
    Ok(Json(Assessment {
        score,
        level: risk_level(score),
    }))
}

/// The orders that a flaky card was asked about.
#[derive(Default)]
pub(crate) struct FlakyOrders {
    seen: Mutex<(HashSet<String>, VecDeque<String>)>,
}

impl FlakyOrders {
    fn is_first(&self, order_id: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (set, by_age) = &mut *seen;
        if !set.insert(order_id.to_owned()) {
            return false;
        }
        by_age.push_back(order_id.to_owned());
        if by_age.len() > MAX_ORDERS
            && let Some(oldest) = by_age.pop_front()
        {
            set.remove(&oldest);
        }
        true
    }
}
