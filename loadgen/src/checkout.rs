//! `loadgen checkout`: one checkout, its answer and its tree.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::bail;
use clap::Args;
use futures_util::future::try_join_all;

use crate::{
    history,
    shop_client::{Answer, Cart, ShopClient},
    target::{Target, TargetArgs, seeded_api_key},
    tempo::Tempo,
    view::ViewArgs,
};

/// Checks out one cart and prints its trace.
#[derive(Debug, Clone, Args)]
pub struct CheckoutArgs {
    #[command(flatten)]
    target: TargetArgs,

    /// Whose shop it is; the seed makes acme, globex and initech, and umbrella and hooli with a
    /// long history.
    #[arg(long, default_value = "acme")]
    tenant: String,

    /// The tenant's API key [default: the one that the seed gives the tenant].
    #[arg(long, env = "SPANTREE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,

    /// A line of the cart, as `SKU` or `SKU=QUANTITY`; give it again for more lines.
    #[arg(long = "line", default_value = "item_42", value_parser = parse_line)]
    lines: Vec<(String, u32)>,

    /// The card's token; `tok_chargeDeclined` is declined, `tok_processorError` fails.
    #[arg(long, default_value = "tok_visa")]
    card: String,

    /// The buyer.
    #[arg(long, default_value = "user_7")]
    user: String,

    /// Checkouts to make before the one that is shown, so that there is a history to compare
    /// it with. They rotate over the tenants of --history-tenant.
    #[arg(long, default_value_t = 0)]
    history: u32,

    /// Tenants of the history.
    #[arg(long, value_delimiter = ',', default_value = "globex,initech")]
    history_tenants: Vec<String>,

    #[command(flatten)]
    view: ViewArgs,
}

fn parse_line(text: &str) -> Result<(String, u32), String> {
    let Some((sku, quantity)) = text.split_once('=') else {
        return Ok((text.to_owned(), 1));
    };
    let quantity = quantity
        .parse()
        .map_err(|_| format!("`{quantity}` is not a quantity; write `item_42=3`"))?;
    Ok((sku.to_owned(), quantity))
}

impl CheckoutArgs {
    /// Checks out and shows what happened. The exit code tells an order from a refusal.
    ///
    /// # Errors
    /// When the shop or the trace store does not answer, or the trace did not arrive.
    pub async fn run(&self, out: &mut impl std::io::Write) -> anyhow::Result<ExitCode> {
        let target = self.target.resolve();
        let tempo = Tempo::new(&target.tempo_url)?;
        let cart = Cart {
            lines: self.lines.clone(),
            card_token: self.card.clone(),
            user_id: Some(self.user.clone()),
        };

        self.make_history(&target).await?;
        let api_key = self
            .api_key
            .clone()
            .unwrap_or_else(|| seeded_api_key(&self.tenant));
        let answer = ShopClient::new(&target.orders_url, api_key)?
            .checkout(&cart)
            .await?;
        let Some(trace_id) = answer.trace_id() else {
            bail!("orders answered without a trace id: {answer}");
        };
        let tree = history::settled(&tempo, trace_id, self.view.wait).await?;
        if tree.is_empty() {
            bail!(
                "trace {trace_id} has not arrived at {} within {:?}; is it where the services export to?",
                target.tempo_url,
                self.view.wait
            );
        }

        let mut text = String::new();
        if !self.view.json {
            writeln!(text, "{answer}\n")?;
        }
        text.push_str(&self.view.show(&tempo, &tree).await?);
        writeln!(out, "{}", text.trim_end())?;
        Ok(match answer {
            Answer::Placed(_) => ExitCode::SUCCESS,
            Answer::Problem(_) => ExitCode::FAILURE,
        })
    }

    /// A few checkouts at a time: enough to be quick, too few to be slow for each other.
    async fn make_history(&self, target: &Target) -> anyhow::Result<()> {
        let tenants: Vec<&String> = self
            .history_tenants
            .iter()
            .cycle()
            .take(self.history as usize)
            .collect();
        for tenants in tenants.chunks(self.history_tenants.len().max(1)) {
            let checkouts = tenants.iter().map(|tenant| async move {
                let shop = ShopClient::new(&target.orders_url, seeded_api_key(tenant))?;
                match shop.checkout(&Cart::item_42()).await? {
                    Answer::Placed(_) => Ok(()),
                    refused => bail!("a checkout of {tenant} for the history ended with {refused}"),
                }
            });
            try_join_all(checkouts).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_item_with_or_without_a_quantity() {
        assert_eq!(parse_line("item_42"), Ok(("item_42".to_owned(), 1)));
        assert_eq!(parse_line("item_42=3"), Ok(("item_42".to_owned(), 3)));
        assert!(parse_line("item_42=many").is_err());
    }
}
