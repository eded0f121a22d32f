//! The door: `POST /checkout`, `GET /orders/{order_id}` and what the API says of itself.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, State as Shared},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use contracts::{
    error_code::ErrorCode,
    ids::{IdempotencyKey, OrderId},
    inventory::check_lines,
    orders::{CheckoutRequest, Order},
    problem::Problem,
};
use service::{Json, problem};

use crate::{State, error::CheckoutError, idempotency, openapi, store, tenant::Tenant};

/// A cart of 100 lines fits many times over.
const BODY_LIMIT: usize = 64 * 1024;

/// The longest user id that is stored.
const USER_ID_LIMIT: usize = 128;

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/checkout", post(checkout))
        .route("/orders/{order_id}", get(find_order))
        .route("/openapi.json", get(openapi::document))
        .fallback(service::not_found)
        .method_not_allowed_fallback(service::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(telemetry::http_server::layer())
        .with_state(state)
}

/// Check out a cart.
///
/// Reserves the stock, charges the card and stores the order. With an `Idempotency-Key` the
/// same request can be sent again without buying twice.
#[utoipa::path(
    post, path = "/checkout", tag = "checkout",
    request_body = CheckoutRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable characters; the same key and body give the same answer")),
    security(("api_key" = [])),
    responses(
        (status = 201, description = "The order was placed", body = Order),
        (status = 400, description = "The request could not be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "An API key is needed", body = Problem, content_type = "application/problem+json"),
        (status = 402, description = "The card was declined", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not enough in stock, or the same checkout is in progress", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body must be JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "An item is not known, or the idempotency key was used for another request", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "Something went wrong on our side", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "Payment failed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Inventory is unavailable", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The checkout took too long", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn checkout(
    Shared(state): Shared<State>,
    tenant: Tenant,
    headers: HeaderMap,
    Json(request): Json<CheckoutRequest>,
) -> Result<Response, Problem> {
    let key = read_idempotency_key(&headers)?;
    check_lines(&request.lines)
        .map_err(|error| problem(ErrorCode::InvalidRequest, error.to_string()))?;
    if request
        .user_id
        .as_ref()
        .is_some_and(|user| user.is_empty() || user.len() > USER_ID_LIMIT)
    {
        let detail = format!("user_id must be 1 to {USER_ID_LIMIT} bytes, or be left out");
        return Err(problem(ErrorCode::InvalidRequest, detail));
    }

    let deadline = state.settings.deadline;
    // The checkout goes on when the deadline passes or the caller hangs up: whatever was
    // charged is stored, and the same key asks for the answer.
    let answer = state
        .background
        .clone()
        .finish(idempotency::checkout_once(state, tenant, key, request));
    match tokio::time::timeout(deadline, answer).await {
        Ok(Ok(answer)) => answer
            .map(IntoResponse::into_response)
            .map_err(CheckoutError::into_problem),
        Ok(Err(_panicked)) => Err(problem(
            ErrorCode::Internal,
            "the checkout ended without an answer",
        )),
        Err(_elapsed) => Err(problem(
            ErrorCode::DeadlineExceeded,
            format!("no answer within {}", humantime::format_duration(deadline)),
        )),
    }
}

/// Find an order.
#[utoipa::path(
    get, path = "/orders/{order_id}", tag = "orders",
    params(("order_id" = String, Path, description = "The order's id", format = Uuid)),
    security(("api_key" = [])),
    responses(
        (status = 200, description = "The order", body = Order),
        (status = 401, description = "An API key is needed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order of this tenant", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The orders cannot be read now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find_order(
    Shared(state): Shared<State>,
    tenant: Tenant,
    Path(order_id): Path<String>,
) -> Result<Json<Order>, Problem> {
    let none = || problem(ErrorCode::NotFound, "this tenant has no such order");
    let order_id: OrderId = order_id.parse().map_err(|_| none())?;
    let found = telemetry::with_tenant(
        tenant.id.as_str(),
        store::find_order(&state.db, &tenant.id, order_id),
    )
    .await;
    match found {
        Ok(Some(order)) => Ok(Json(order)),
        Ok(None) => Err(none()),
        Err(error) => Err(CheckoutError::Store(error).into_problem()),
    }
}

/// The caller's key, or one that nobody else has.
fn read_idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(IdempotencyKey::generate());
    };
    value
        .to_str()
        .unwrap_or_default()
        .parse()
        .map_err(|error: contracts::ids::InvalidId| {
            problem(ErrorCode::InvalidRequest, error.to_string())
        })
}
