//! One checkout for each idempotency key: claim it, do it, keep the answer.
//!
//! Answers that another try would not change are kept and given again. A technical failure
//! gives the claim back, so that the next try takes up the same order where this one ended.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use contracts::{
    ids::{IdempotencyKey, OrderId},
    orders::{CheckoutRequest, Order},
    problem::{PROBLEM_JSON, Problem},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use telemetry::Failure;

use crate::{
    State,
    checkout::{self, Outcome},
    error::CheckoutError,
    store::{self, Claim},
    tenant::Tenant,
};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What the caller gets: now, and each time the same key asks again.
pub(crate) struct Answer {
    status: StatusCode,
    body: Value,
    replayed: bool,
}

/// Checks out once for this key, or gives the answer of the first time.
pub(crate) async fn checkout_once(
    state: State,
    tenant: Tenant,
    key: IdempotencyKey,
    request: CheckoutRequest,
) -> Result<Answer, CheckoutError> {
    telemetry::with_tenant(tenant.id.as_str(), async {
        let hash = hash(&request);
        let claim = store::claim_checkout(&state.db, &tenant.id, &key, &hash, OrderId::generate())
            .await
            .map_err(CheckoutError::Store)?;
        let order_id = match claim {
            Claim::Ours(order_id) => order_id,
            Claim::Answered { status, body } => return Answer::again(status, body),
            Claim::InProgress => return Err(CheckoutError::InProgress),
            Claim::OtherRequest => return Err(CheckoutError::KeyReused),
        };

        match checkout::checkout(&state, &tenant, &key, order_id, &request).await {
            Ok(Outcome::Placed(order)) => Ok(Answer::placed(&order)),
            Ok(Outcome::Declined(code)) => {
                let answer = Answer::refused(&CheckoutError::declined_problem(&code));
                keep(&state, &tenant, &key, &answer).await;
                Ok(answer)
            }
            Err(error) if error.is_refusal() => {
                let answer = Answer::refused(&error.into_problem());
                keep(&state, &tenant, &key, &answer).await;
                Ok(answer)
            }
            Err(error) => {
                give_back(&state, &tenant, &key).await;
                Err(error)
            }
        }
    })
    .await
}

/// The body without its formatting; the card token is hashed like the rest and kept nowhere.
fn hash(request: &CheckoutRequest) -> String {
    let mut hasher = Sha256::new();
    for line in &request.lines {
        hasher.update(line.sku.as_str());
        hasher.update([0]);
        hasher.update(line.quantity.to_be_bytes());
    }
    hasher.update([1]);
    hasher.update(request.card_token.expose());
    hasher.update([2]);
    hasher.update(request.user_id.as_deref().unwrap_or_default());
    hex::encode(hasher.finalize())
}

/// A refusal that cannot be kept is still the answer: asked again, the same steps refuse again.
async fn keep(state: &State, tenant: &Tenant, key: &IdempotencyKey, answer: &Answer) {
    let kept = store::keep_answer(
        &state.db,
        &tenant.id,
        key,
        answer.status.as_u16(),
        &answer.body,
    )
    .await;
    if let Err(error) = kept {
        tracing::warn!(%error, "the answer could not be kept for its idempotency key");
    }
}

/// A claim that cannot be given back ends with its lease.
async fn give_back(state: &State, tenant: &Tenant, key: &IdempotencyKey) {
    if let Err(error) = store::give_back_claim(&state.db, &tenant.id, key).await {
        tracing::warn!(%error, "the claim of a failed checkout stays until its lease ends");
    }
}

impl Answer {
    /// The body of a placed order. The story stores it in the order's own transaction.
    pub(crate) fn placed_body(order: &Order) -> Value {
        serde_json::to_value(order).expect("an order has no map keys that are not strings")
    }

    fn placed(order: &Order) -> Self {
        Self {
            status: StatusCode::CREATED,
            body: Self::placed_body(order),
            replayed: false,
        }
    }

    fn refused(problem: &Problem) -> Self {
        Self {
            status: problem.code.http_status(),
            body: serde_json::to_value(problem)
                .expect("a problem has no map keys that are not strings"),
            replayed: false,
        }
    }

    fn again(status: u16, body: Value) -> Result<Self, CheckoutError> {
        Ok(Self {
            status: StatusCode::from_u16(status)
                .map_err(|_| CheckoutError::StoredAnswer(status))?,
            body,
            replayed: true,
        })
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let location = self
            .body
            .get("order_id")
            .and_then(Value::as_str)
            .and_then(|order_id| HeaderValue::from_str(&format!("/orders/{order_id}")).ok());
        let refused = !self.status.is_success();
        let mut response = (self.status, axum::Json(self.body)).into_response();
        let headers = response.headers_mut();
        if refused {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        }
        if let Some(location) = location {
            headers.insert(header::LOCATION, location);
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
