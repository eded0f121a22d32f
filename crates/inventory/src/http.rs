//! The door: HTTP requests in, reservations or a problem out. The tenant is a header that only
//! our own services send.

use axum::{
    Router,
    extract::{
        DefaultBodyLimit, FromRequestParts, Path, RawQuery, State as Shared,
        rejection::PathRejection,
    },
    http::{StatusCode, request::Parts},
    routing::{delete, get, post},
};
use contracts::{
    error_code::ErrorCode,
    ids::{InvalidId, OrderId, Sku, TenantId},
    inventory::{Availability, Reservation, ReserveRequest, check_lines},
    orders::MAX_LINES,
    problem::Problem,
    tenant::TENANT_HEADER,
};
use service::{Json, problem};

use crate::{State, availability, release, reserve};

/// A cart of 100 lines with the longest names is a fifth of this.
const MAX_BODY_BYTES: usize = 64 * 1024;

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/reservations", post(post_reservation))
        .route("/reservations/{order_id}", delete(delete_reservation))
        .route("/availability", get(get_availability))
        .fallback(service::not_found)
        .method_not_allowed_fallback(service::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(telemetry::http_server::layer())
        .with_state(state)
}

async fn post_reservation(
    Shared(state): Shared<State>,
    Tenant(tenant): Tenant,
    Json(request): Json<ReserveRequest>,
) -> Result<Json<Reservation>, Problem> {
    check_lines(&request.lines).map_err(|error| invalid(&error))?;
    let reserved = reserve::reserve(&state, &tenant, &request);
    let reserved = telemetry::with_tenant(tenant.as_str(), reserved).await;
    reserved.map(Json).map_err(|error| error.into_problem())
}

async fn delete_reservation(
    Shared(state): Shared<State>,
    Tenant(tenant): Tenant,
    order_id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(order_id) = order_id.map_err(|error| invalid(&error))?;
    let order_id: OrderId = order_id.parse().map_err(|error| invalid(&error))?;
    let released = release::release(&state, &tenant, order_id);
    let released = telemetry::with_tenant(tenant.as_str(), released).await;
    released
        .map(|()| StatusCode::NO_CONTENT)
        .map_err(|error| error.into_problem())
}

async fn get_availability(
    Shared(state): Shared<State>,
    Tenant(tenant): Tenant,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Availability>>, Problem> {
    let skus =
        read_skus(query.as_deref().unwrap_or_default()).map_err(|reason| invalid(&reason))?;
    let found = availability::find(&state, &tenant, &skus);
    let found = telemetry::with_tenant(tenant.as_str(), found).await;
    found.map(Json).map_err(|error| error.into_problem())
}

/// The items of `sku=a&sku=b` or `sku=a,b`, each once, in the order of the question.
fn read_skus(query: &str) -> Result<Vec<Sku>, String> {
    let mut skus: Vec<Sku> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != "sku" {
            return Err(format!("`{name}` is not a parameter; ask for `sku`"));
        }
        for sku in value.split(',') {
            let sku = sku.parse().map_err(|error: InvalidId| error.to_string())?;
            if !skus.contains(&sku) {
                skus.push(sku);
            }
            if skus.len() > MAX_LINES {
                return Err(format!("ask for {MAX_LINES} items at most"));
            }
        }
    }
    if skus.is_empty() {
        return Err("ask for at least one item, `?sku=item_42`".to_owned());
    }
    Ok(skus)
}

fn invalid(reason: &dyn std::fmt::Display) -> Problem {
    problem(ErrorCode::InvalidRequest, reason.to_string())
}

/// The tenant of a request.
struct Tenant(TenantId);

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(TENANT_HEADER).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(invalid(&format_args!(
                "send the header {TENANT_HEADER}, once"
            )));
        };
        value
            .to_str()
            .ok()
            .and_then(|tenant| tenant.parse().ok())
            .map(Self)
            .ok_or_else(|| {
                invalid(&format_args!(
                    "{TENANT_HEADER} must be 1 to 64 letters, digits, `_` or `-`"
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn items_can_be_repeated_parameters_or_a_list() {
        let both: Vec<Sku> = vec!["a".parse().unwrap(), "b".parse().unwrap()];
        assert_eq!(read_skus("sku=a&sku=b").unwrap(), both);
        assert_eq!(read_skus("sku=a,b").unwrap(), both);
        assert_eq!(read_skus("sku=a%2Cb&sku=a").unwrap(), both);
        for bad in ["", "sku=", "sku=a,,b", "sku=a%20b", "item=a"] {
            assert!(read_skus(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_query_makes_the_reader_panic_or_ask_for_too_much(query in ".{0,300}") {
            if let Ok(skus) = read_skus(&query) {
                prop_assert!((1..=MAX_LINES).contains(&skus.len()));
            }
        }
    }
}
