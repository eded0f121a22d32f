//! Tempo's read API, as much of it as is needed to look at traces: by id, and search.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::StatusCode;
use serde::Deserialize;
use telemetry::http_client::{self, Client};
use trace_tree::Span;
use url::Url;

/// A reader of stored traces.
#[derive(Debug, Clone)]
pub struct Tempo {
    client: Client,
    url: String,
}

#[derive(Deserialize)]
struct SearchAnswer {
    #[serde(default)]
    traces: Vec<Found>,
}

/// One trace that a search found.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The trace's id in hex; leading zeros may be missing.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// Name of the root span.
    #[serde(default)]
    pub root_trace_name: String,
    /// Duration of the whole trace in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
}

impl Tempo {
    /// A reader of the traces behind this URL.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            client: http_client::third_party(Duration::from_secs(10))?,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// The spans of a trace that have arrived so far; none for an id that is not known.
    ///
    /// # Errors
    /// When the store does not answer, or its answer is not a trace.
    pub async fn trace(&self, trace_id: &str) -> anyhow::Result<Vec<Span>> {
        let url = format!("{}/api/traces/{trace_id}", self.url);
        let answer = self
            .client
            .get(&url)
            .header("accept", "application/json")
            .send()
            .await
            .with_context(|| self.away())?;
        match answer.status() {
            StatusCode::OK => {
                let body = answer.text().await.with_context(|| self.away())?;
                trace_tree::otlp_json::parse(&body)
                    .with_context(|| format!("{url} did not answer with a trace"))
            }
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            status => bail!(
                "{url} answered {status}: {}",
                answer.text().await.unwrap_or_default().trim()
            ),
        }
    }

    /// The newest traces that match `tags` (logfmt, for example `service.name=orders`).
    ///
    /// # Errors
    /// When the store does not answer or refuses the search.
    pub async fn search(&self, tags: &str, limit: usize) -> anyhow::Result<Vec<Found>> {
        let url = format!("{}/api/search", self.url);
        let limit = limit.to_string();
        let search = Url::parse_with_params(&url, [("tags", tags), ("limit", &limit)])?;
        let answer = self
            .client
            .get(search)
            .send()
            .await
            .with_context(|| self.away())?;
        if !answer.status().is_success() {
            bail!(
                "{url} answered {}: {}",
                answer.status(),
                answer.text().await.unwrap_or_default().trim()
            );
        }
        let found: SearchAnswer = answer.json().await.with_context(|| self.away())?;
        Ok(found.traces)
    }

    fn away(&self) -> String {
        format!(
            "no traces can be read from {}; start the stack with `cargo shop up`, or name another with --tempo-url",
            self.url
        )
    }
}
