//! The door: gRPC requests in, quotes or a status out.

use std::pin::Pin;

use axum::Router;
use contracts::{
    ids::TenantId,
    inventory::{Line, check_lines},
    pricing::{
        PriceChanged, Quote, QuoteCartRequest, WatchPricesRequest,
        pricing_server::{Pricing, PricingServer},
    },
};
use futures_util::Stream;
use tonic::{Request, Response, Status};

use crate::{State, error::QuoteError, quote};

pub(crate) fn routes(state: State) -> Router {
    tonic::service::Routes::new(PricingServer::new(Door { state }))
        .into_axum_router()
        .layer(telemetry::grpc_server::layer())
}

struct Door {
    state: State,
}

#[tonic::async_trait]
impl Pricing for Door {
    async fn quote_cart(
        &self,
        request: Request<QuoteCartRequest>,
    ) -> Result<Response<Quote>, Status> {
        let (tenant, lines) = read_cart(request.into_inner()).map_err(QuoteError::into_status)?;
        let quoted =
            telemetry::with_tenant(tenant.as_str(), quote::quote(&self.state, &tenant, &lines))
                .await;
        quoted.map(Response::new).map_err(QuoteError::into_status)
    }

    type WatchPricesStream = Pin<Box<dyn Stream<Item = Result<PriceChanged, Status>> + Send>>;

    async fn watch_prices(
        &self,
        request: Request<WatchPricesRequest>,
    ) -> Result<Response<Self::WatchPricesStream>, Status> {
        let changes = self.state.watch.changes(request.into_inner().tenant_ids);
        Ok(Response::new(Box::pin(changes)))
    }
}

fn read_cart(request: QuoteCartRequest) -> Result<(TenantId, Vec<Line>), QuoteError> {
    let invalid = |reason: &dyn std::fmt::Display| QuoteError::Invalid(reason.to_string());
    let tenant = TenantId::try_from(request.tenant_id).map_err(|error| invalid(&error))?;
    let lines = request
        .lines
        .into_iter()
        .map(|line| {
            Ok(Line {
                sku: line.sku.try_into().map_err(|error| invalid(&error))?,
                quantity: line.quantity,
            })
        })
        .collect::<Result<Vec<_>, QuoteError>>()?;
    check_lines(&lines).map_err(|error| invalid(&error))?;
    Ok((tenant, lines))
}
