//! Pricing, over gRPC: what a cart costs, and which prices change.

use std::time::Duration;

use contracts::{
    ids::TenantId,
    inventory::Line,
    money::Money,
    orders::OrderLine,
    pricing::{
        CartLine, PriceChanged, Quote, QuoteCartRequest, WatchPricesRequest,
        pricing_client::PricingClient,
    },
};
use telemetry::{
    Retry,
    grpc_client::{Channel, ChannelError},
};
use tonic::{Code, Status, Streaming};
use url::Url;

use crate::error::ReserveError;

/// A quote takes milliseconds; a caller that waits longer is better served by an error.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A client of pricing; clones share the connection.
pub(crate) type Client = PricingClient<Channel>;

/// A priced cart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    pub(crate) lines: Vec<OrderLine>,
    pub(crate) total: Money,
}

/// A client that connects with the first call.
pub(crate) fn connect(url: &Url) -> Result<Client, ChannelError> {
    Ok(PricingClient::new(telemetry::grpc_client::channel(
        url, TIMEOUT,
    )?))
}

/// What a cart costs. A quote changes nothing, so it is asked for again when pricing is away
/// for a moment, as during a restart.
pub(crate) async fn quote_cart(
    client: &Client,
    tenant: &TenantId,
    lines: &[Line],
) -> Result<Quoted, ReserveError> {
    let request = QuoteCartRequest {
        tenant_id: tenant.to_string(),
        lines: lines
            .iter()
            .map(|line| CartLine {
                sku: line.sku.to_string(),
                quantity: line.quantity,
            })
            .collect(),
    };
    let quote = Retry::new(3)
        .run(
            || {
                let (mut client, request) = (client.clone(), request.clone());
                async move { client.quote_cart(request).await }
            },
            |status| status.code() == Code::Unavailable,
        )
        .await
        .map_err(refused)?;
    read_quote(quote.into_inner(), lines)
}

/// The prices that change from now on, of every tenant.
pub(crate) async fn watch_prices(client: &Client) -> Result<Streaming<PriceChanged>, Status> {
    let all = WatchPricesRequest {
        tenant_ids: Vec::new(),
    };
    Ok(client.clone().watch_prices(all).await?.into_inner())
}

fn refused(status: Status) -> ReserveError {
    match status.code() {
        Code::NotFound => ReserveError::NoPrice(status.message().to_owned()),
        Code::InvalidArgument => ReserveError::NotPriceable(status.message().to_owned()),
        _ => ReserveError::Pricing(Box::new(status)),
    }
}

/// The quote in our own types: every line of the cart, in its order, or it is not its quote.
fn read_quote(quote: Quote, lines: &[Line]) -> Result<Quoted, ReserveError> {
    let unreadable = |what: &dyn std::fmt::Display| ReserveError::Quote(what.to_string());
    let currency = quote.currency.parse().map_err(|error| unreadable(&error))?;
    let is_of_cart = quote.lines.len() == lines.len()
        && quote.lines.iter().zip(lines).all(|(quoted, line)| {
            quoted.sku == line.sku.as_str() && quoted.quantity == line.quantity
        });
    if !is_of_cart {
        return Err(unreadable(&"its lines are not those of the cart"));
    }
    Ok(Quoted {
        lines: quote
            .lines
            .into_iter()
            .zip(lines)
            .map(|(quoted, line)| OrderLine {
                sku: line.sku.clone(),
                quantity: line.quantity,
                unit_price_minor: quoted.unit_price_minor,
                total_minor: quoted.total_minor,
            })
            .collect(),
        total: Money::new(quote.total_minor, currency),
    })
}

#[cfg(test)]
mod tests {
    use contracts::{money::Currency, pricing::QuotedLine};

    use super::*;

    fn cart() -> Vec<Line> {
        vec![Line {
            sku: "item_42".parse().unwrap(),
            quantity: 2,
        }]
    }

    fn quote() -> Quote {
        Quote {
            currency: "EUR".to_owned(),
            lines: vec![QuotedLine {
                sku: "item_42".to_owned(),
                quantity: 2,
                unit_price_minor: 500,
                discount_minor: 100,
                total_minor: 900,
            }],
            subtotal_minor: 1000,
            discount_minor: 100,
            total_minor: 900,
        }
    }

    #[test]
    fn a_quote_becomes_the_lines_of_the_order() {
        let quoted = read_quote(quote(), &cart()).unwrap();
        assert_eq!(quoted.total, Money::new(900, Currency::Eur));
        assert_eq!(quoted.lines[0].total_minor, 900);
    }

    #[test]
    fn a_quote_of_another_cart_or_in_an_unknown_currency_is_refused() {
        let other = Quote {
            currency: "XXX".to_owned(),
            ..quote()
        };
        assert!(matches!(
            read_quote(other, &cart()),
            Err(ReserveError::Quote(_))
        ));
        let mut other = quote();
        other.lines[0].quantity = 1;
        assert!(matches!(
            read_quote(other, &cart()),
            Err(ReserveError::Quote(_))
        ));
        assert!(matches!(
            read_quote(quote(), &[]),
            Err(ReserveError::Quote(_))
        ));
    }

    #[test]
    fn what_pricing_does_not_sell_is_no_failure_of_pricing() {
        assert!(matches!(
            refused(Status::not_found("x has no price")),
            ReserveError::NoPrice(_)
        ));
        assert!(matches!(
            refused(Status::invalid_argument("x")),
            ReserveError::NotPriceable(_)
        ));
        assert!(matches!(
            refused(Status::unavailable("x")),
            ReserveError::Pricing(_)
        ));
    }
}
