//! A sandbox of its own for each test, and a client for it.

use std::time::Duration;

use processor_sandbox::{App, Config};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

pub(crate) struct Sandbox {
    url: String,
    client: Client,
}

pub(crate) fn config() -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        latency: Duration::ZERO,
        risk_latency: Duration::ZERO,
        hang: Duration::from_secs(30),
    }
}

impl Sandbox {
    pub(crate) async fn start() -> Self {
        Self::start_with(config()).await
    }

    /// Runs until the test's runtime ends.
    pub(crate) async fn start_with(config: Config) -> Self {
        let app = App::build(config).await.unwrap();
        let sandbox = Self::at(app.port().unwrap());
        telemetry::spawn_detached(app.run_until(std::future::pending()));
        sandbox
    }

    /// A caller of whatever listens there.
    #[expect(
        clippy::disallowed_methods,
        reason = "a client of the test, outside of any trace"
    )]
    pub(crate) fn at(port: u16) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        Self {
            url: format!("http://127.0.0.1:{port}"),
            client,
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    /// A charge of 19.99 EUR; `key` is the idempotency key.
    pub(crate) fn charge(&self, token: &str, key: &str) -> RequestBuilder {
        self.charge_form(&[
            ("amount", "1999"),
            ("currency", "eur"),
            ("source", token),
            ("metadata[order_id]", "order_1"),
        ])
        .header("Idempotency-Key", key)
    }

    pub(crate) fn charge_form(&self, form: &[(&str, &str)]) -> RequestBuilder {
        self.request("POST", "/v1/charges")
            .bearer_auth("sk_test_shop")
            .form(form)
    }

    pub(crate) fn risk(&self, token: &str, order_id: &str) -> RequestBuilder {
        self.request("POST", "/v1/risk")
            .bearer_auth("sk_test_shop")
            .json(&serde_json::json!({
                "order_id": order_id, "amount": 1999, "currency": "eur", "card_token": token,
            }))
    }

    pub(crate) async fn put_faults(&self, faults: Value) {
        let (status, body) = answer(self.request("PUT", "/sandbox/faults").json(&faults)).await;
        assert_eq!(status, 200, "{body}");
    }

    /// What was charged for the order of [`Sandbox::charge`].
    pub(crate) async fn charges(&self) -> Vec<Value> {
        let (_, list) = answer(self.request("GET", "/sandbox/charges?order_id=order_1")).await;
        list["data"].as_array().unwrap().clone()
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

/// Status and JSON body.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = send(request).await;
    (response.status().as_u16(), response.json().await.unwrap())
}
