//! Inventory, over HTTP: reserve and release stock.

use std::time::Duration;

use contracts::{
    error_code::ErrorCode,
    ids::{OrderId, TenantId},
    inventory::{Line, Reservation, ReserveRequest},
    problem::Problem,
    tenant::TENANT_HEADER,
};
use reqwest::{Response, StatusCode};
use telemetry::{
    Retry,
    http_client::{self, Client, UrlTemplate},
};
use url::Url;

/// Longer than any checkout's deadline: the deadline decides, not this.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A caller of inventory.
#[derive(Debug, Clone)]
pub(crate) struct InventoryClient {
    client: Client,
    reservations: Url,
}

/// Why inventory did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InventoryError {
    /// Inventory said no, and would say so again.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    #[error("inventory answered {0}")]
    Failed(StatusCode),
    #[error("inventory does not answer")]
    Unreachable(#[source] reqwest_middleware::Error),
    #[error("inventory's answer cannot be read")]
    Unreadable(#[source] reqwest::Error),
}

impl InventoryError {
    /// Whether the same request may succeed a moment later. Both calls are idempotent by order.
    fn is_passing(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Unreadable(_) => false,
            Self::Failed(status) => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable(error) => !error.is_timeout(),
        }
    }
}

impl InventoryClient {
    pub(crate) fn new(inventory: &Url) -> anyhow::Result<Self> {
        Ok(Self {
            client: http_client::internal(TIMEOUT)?,
            reservations: inventory.join("/reservations")?,
        })
    }

    /// Holds stock for every line, or for none.
    pub(crate) async fn reserve(
        &self,
        tenant: &TenantId,
        order_id: OrderId,
        lines: &[Line],
    ) -> Result<Reservation, InventoryError> {
        let request = ReserveRequest {
            order_id,
            lines: lines.to_vec(),
        };
        let reserve = || async {
            let response = self
                .client
                .post(self.reservations.clone())
                .header(TENANT_HEADER, tenant.as_str())
                .with_extension(UrlTemplate("/reservations"))
                .json(&request)
                .send()
                .await
                .map_err(InventoryError::Unreachable)?;
            accepted(response)
                .await?
                .json()
                .await
                .map_err(InventoryError::Unreadable)
        };
        Retry::new(2)
            .base_delay(Duration::from_millis(50))
            .run(reserve, InventoryError::is_passing)
            .await
    }

    /// Gives the stock of an order back; an order without a reservation is fine.
    pub(crate) async fn release(
        &self,
        tenant: &TenantId,
        order_id: OrderId,
    ) -> Result<(), InventoryError> {
        let release = || async {
            let response = self
                .client
                .delete(format!("{}/{order_id}", self.reservations))
                .header(TENANT_HEADER, tenant.as_str())
                .with_extension(UrlTemplate("/reservations/{order_id}"))
                .send()
                .await
                .map_err(InventoryError::Unreachable)?;
            accepted(response).await.map(drop)
        };
        Retry::new(3)
            .base_delay(Duration::from_millis(100))
            .run(release, InventoryError::is_passing)
            .await
    }
}

async fn accepted(response: Response) -> Result<Response, InventoryError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    // Only the refusals that the caller can do something about carry a meaning for the cart.
    match response.json::<Problem>().await {
        Ok(problem) if matches!(problem.code, ErrorCode::OutOfStock | ErrorCode::UnknownItem) => {
            Err(InventoryError::Refused(Box::new(problem)))
        }
        _ => Err(InventoryError::Failed(status)),
    }
}
