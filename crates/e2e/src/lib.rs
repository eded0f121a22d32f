//! A running shop as its tests see it: ask it for things, look at the traces that were stored.

use std::time::{Duration, Instant};

use anyhow::Context;
use loadgen::{history, tempo::Tempo};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use shop::{Stack, StackOptions};
use sqlx::{Connection, PgConnection};
use telemetry::http_client::{self, Client};
use trace_tree::TraceTree;
use url::Url;
use uuid::Uuid;

pub mod tree;

/// How long anything may take that has to happen. Generous: it is spent only by failing tests.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The five services with servers and traces of their own.
pub struct Shop {
    /// The processes.
    pub stack: Stack,
    /// The stored traces.
    pub tempo: Tempo,
    client: Client,
}

/// What a service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` where it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The trace that the body names.
    ///
    /// # Panics
    /// When it names none.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.body["trace_id"]
            .as_str()
            .unwrap_or_else(|| panic!("no trace_id in {self:?}"))
    }
}

/// One item 42, paid with a card that works.
#[must_use]
pub fn cart() -> Value {
    json!({ "lines": [{ "sku": "item_42", "quantity": 1 }], "card_token": "tok_visa", "user_id": "user_7" })
}

/// The same cart with another card.
#[must_use]
pub fn cart_paid_with(card_token: &str) -> Value {
    let mut cart = cart();
    cart["card_token"] = card_token.into();
    cart
}

impl Shop {
    /// A shop on the servers of the test run, with little history.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(StackOptions::for_tests()?).await
    }

    /// A shop with settings of its own.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start_with(options: StackOptions) -> anyhow::Result<Self> {
        let stack = Stack::start(options).await?;
        let tempo = Tempo::new(stack.tempo_url().as_str())?;
        Ok(Self {
            stack,
            tempo,
            client: http_client::third_party(Duration::from_secs(60))?,
        })
    }

    /// Stops every part.
    ///
    /// # Errors
    /// When something could not be removed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stack.stop().await
    }

    /// Checks out as acme, with an idempotency key of its own.
    ///
    /// # Errors
    /// When orders does not answer.
    pub async fn checkout(&self, cart: &Value) -> anyhow::Result<Answer> {
        self.checkout_as("acme", cart, &[]).await
    }

    /// Checks out as a tenant, with more headers.
    ///
    /// # Errors
    /// When orders does not answer.
    pub async fn checkout_as(
        &self,
        tenant: &str,
        cart: &Value,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let key = Uuid::new_v4().to_string();
        let bearer = format!("Bearer {}", self.stack.api_key(tenant));
        let mut all = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        if !headers.iter().any(|(name, _)| *name == "idempotency-key") {
            all.push(("idempotency-key", &key));
        }
        all.extend_from_slice(headers);
        self.post(
            &self.stack.orders_url().join("/checkout")?,
            &all,
            cart.to_string(),
        )
        .await
    }

    /// Sends exactly this.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        body: String,
    ) -> anyhow::Result<Answer> {
        let mut request = self.client.post(url.clone()).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::answer(request).await
    }

    /// Gets a page of a service.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, url: &Url, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut request = self.client.get(url.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::answer(request).await
    }

    /// Replaces the faults of the card processor.
    ///
    /// # Errors
    /// When the sandbox refuses them.
    pub async fn set_processor_faults(&self, faults: Value) -> anyhow::Result<()> {
        let url = self.stack.processor_url().join("/sandbox/faults")?;
        let answer = Self::answer(self.client.put(url).json(&faults)).await?;
        anyhow::ensure!(answer.status.is_success(), "{answer:?}");
        Ok(())
    }

    async fn answer(request: reqwest_middleware::RequestBuilder) -> anyhow::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await?;
        Ok(Answer {
            status,
            headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        })
    }

    /// The stored trace of a checkout, with everything that happened behind the queues.
    ///
    /// # Errors
    /// When it is not whole in time; the message shows what there is.
    pub async fn checkout_trace(&self, trace_id: &str) -> anyhow::Result<TraceTree> {
        let is_done = |tree: &TraceTree| {
            history::is_whole(tree)
                && tree::count(tree, "process inventory-events") == 1
                && tree::count(tree, "process payment-events") == 1
        };
        self.trace_when(trace_id, is_done).await
    }

    /// The stored trace once it is as asked for.
    ///
    /// # Errors
    /// When it is not so in time; the message shows what there is.
    pub async fn trace_when(
        &self,
        trace_id: &str,
        enough: impl Fn(&TraceTree) -> bool,
    ) -> anyhow::Result<TraceTree> {
        match history::wait_for(&self.tempo, trace_id, PATIENCE, enough).await? {
            Some(tree) => Ok(tree),
            None => {
                let tree = TraceTree::build(self.tempo.trace(trace_id).await?);
                anyhow::bail!(
                    "trace {trace_id} did not become what was asked for:\n{}",
                    tree::outline(&tree)
                )
            }
        }
    }

    /// A connection to the database of the whole shop.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn database(&self) -> anyhow::Result<PgConnection> {
        PgConnection::connect(self.stack.whole_database_url().as_str())
            .await
            .context("the shop's database does not answer")
    }

    /// A figure from the database.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn figure(&self, select: &'static str) -> anyhow::Result<i64> {
        let mut database = self.database().await?;
        Ok(sqlx::query_scalar(select).fetch_one(&mut database).await?)
    }

    /// Waits until a figure of the database is what it must become.
    ///
    /// # Errors
    /// When it does not; the message says what it is.
    pub async fn figure_becomes(&self, select: &'static str, expected: i64) -> anyhow::Result<()> {
        let mut database = self.database().await?;
        let mut last = 0;
        let reached = eventually(async || {
            last = sqlx::query_scalar(select).fetch_one(&mut database).await?;
            Ok(last == expected)
        })
        .await?;
        anyhow::ensure!(reached, "`{select}` is {last}, not {expected}");
        Ok(())
    }
}

/// Asks until the answer is yes; no when it is not in time.
///
/// # Errors
/// When asking fails.
pub async fn eventually(
    mut condition: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(true)
}
