//! The door: gRPC requests in, the outcome of a charge or a status out.

use axum::Router;
use contracts::{
    ids::CardToken,
    money::{Currency, Money},
    payment::{
        Captured, ChargeRequest, ChargeResponse, Declined,
        charge_response::Outcome,
        payment_server::{Payment, PaymentServer},
    },
};
use tonic::{Request, Response, Status};

use crate::{
    State,
    charge::{self, ChargeOutcome, Purchase},
    error::ChargeError,
    store,
};

/// Longest name of a plan or a region.
const MAX_NAME: usize = 64;

pub(crate) fn routes(state: State) -> Router {
    tonic::service::Routes::new(PaymentServer::new(Door { state }))
        .into_axum_router()
        .layer(telemetry::grpc_server::layer())
}

struct Door {
    state: State,
}

#[tonic::async_trait]
impl Payment for Door {
    async fn charge(
        &self,
        request: Request<ChargeRequest>,
    ) -> Result<Response<ChargeResponse>, Status> {
        let purchase = read_purchase(request.into_inner()).map_err(ChargeError::into_status)?;
        let tenant = purchase.tenant.clone();
        let state = self.state.clone();
        // A caller that gives up does not stop a charge between the processor and the books.
        let charging = async {
            self.state
                .background
                .finish(async move { charge::charge(&state, &purchase).await })
                .await
        };
        match telemetry::with_tenant(tenant.as_str(), charging).await {
            Ok(charged) => charged
                .map(|payment| Response::new(into_wire(payment)))
                .map_err(ChargeError::into_status),
            Err(error) => {
                tracing::error!(%error, "a charge broke off");
                Err(Status::internal("the charge broke off"))
            }
        }
    }
}

fn read_purchase(request: ChargeRequest) -> Result<Purchase, ChargeError> {
    let invalid = |reason: &dyn std::fmt::Display| ChargeError::Invalid(reason.to_string());
    let currency: Currency = request.currency.parse().map_err(|error| invalid(&error))?;
    if request.amount_minor < 1 {
        return Err(invalid(&"amount_minor must be 1 or more"));
    }
    Ok(Purchase {
        tenant: request
            .tenant_id
            .try_into()
            .map_err(|error| invalid(&error))?,
        order_id: request.order_id.parse().map_err(|error| invalid(&error))?,
        amount: Money::new(request.amount_minor, currency),
        card: CardToken::try_from(request.card_token).map_err(|error| invalid(&error))?,
        plan: read_name("plan", request.plan)?,
        region: read_name("region", request.region)?,
    })
}

fn read_name(field: &'static str, name: String) -> Result<String, ChargeError> {
    let is_name =
        (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if is_name {
        Ok(name)
    } else {
        Err(ChargeError::Invalid(format!(
            "{field} must be 1 to {MAX_NAME} printable ASCII characters without spaces"
        )))
    }
}

fn into_wire(payment: store::Payment) -> ChargeResponse {
    let payment_id = payment.payment_id.to_string();
    let outcome = match payment.outcome {
        ChargeOutcome::Captured {
            processor_charge_id,
        } => Outcome::Captured(Captured {
            payment_id,
            processor_charge_id,
        }),
        ChargeOutcome::Declined { decline_code } => Outcome::Declined(Declined {
            payment_id,
            decline_code,
        }),
    };
    ChargeResponse {
        outcome: Some(outcome),
    }
}
