//! Who is asking: the tenant behind an API key. The key is hashed at once and goes nowhere.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use contracts::{error_code::ErrorCode, ids::TenantId, problem::Problem};
use service::problem;
use sha2::{Digest, Sha256};

use crate::{State, error::CheckoutError, store};

/// The shop owner that a request belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) plan: String,
    pub(crate) region: String,
}

impl FromRequestParts<State> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let key = bearer(&parts.headers)
            .ok_or_else(|| problem(ErrorCode::Unauthorized, "the request has no API key"))?;
        let hash = hex::encode(Sha256::digest(key));
        store::find_tenant(&state.db, &hash)
            .await
            .map_err(|error| CheckoutError::Store(error).into_problem())?
            .ok_or_else(|| problem(ErrorCode::Unauthorized, "the API key belongs to no tenant"))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}
