//! OTLP over HTTP without a client that panics on the batch thread.
//!
//! The SDK's batch threads have no tokio runtime. The async client of the OTLP crate
//! panics there at its first export; the thread dies, and every later span is dropped
//! without a word. This client runs each request on the exporters' runtime instead.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;

use crate::config::InitError;

/// Longest answer of a collector that is read; an honest one has a few bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// A plain reqwest client, bound to one runtime.
#[derive(Clone, Debug)]
pub(super) struct OtelIoClient {
    client: reqwest::Client,
    io: Handle,
}

impl OtelIoClient {
    #[expect(
        clippy::disallowed_methods,
        reason = "a traced client would make spans of its own exports"
    )]
    pub(super) fn new(io: &Handle, timeout: Duration) -> Result<Self, InitError> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(InitError::HttpClient)?;
        Ok(Self {
            client,
            io: io.clone(),
        })
    }
}

#[async_trait]
impl HttpClient for OtelIoClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.io.spawn(exchange(client, request)).await?
    }
}

async fn exchange(
    client: reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err("the collector's answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
