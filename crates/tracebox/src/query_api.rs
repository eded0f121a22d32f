//! The query API's routes and what all of them share: Tempo's paths, plain-text errors.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::store::Store;
use crate::{by_id, search, tags};

pub(crate) fn router(store: &Arc<Store>) -> Router {
    Router::new()
        .route("/ready", get(|| async { "ready\n" }))
        .route("/metrics", get(metrics))
        .route("/api/echo", get(|| async { "echo\n" }))
        .route("/api/status/buildinfo", get(build_info))
        .route("/api/traces/{id}", get(by_id::v1))
        .route("/api/v2/traces/{id}", get(by_id::v2))
        .route("/api/search", get(search::search))
        .route("/api/search/tags", get(tags::names_v1))
        .route("/api/v2/search/tags", get(tags::names_v2))
        .route("/api/search/tag/{tag}/values", get(tags::values_v1))
        .route("/api/v2/search/tag/{tag}/values", get(tags::values_v2))
        .with_state(Arc::clone(store))
}

/// A request that asks for something impossible: 400 and the reason as plain text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadRequest(pub(crate) String);

impl IntoResponse for BadRequest {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.0).into_response()
    }
}

async fn metrics(State(store): State<Arc<Store>>) -> Response {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    let text = store.figures().to_prometheus();
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// Clients switch features on by the version; ours is below all of them on purpose.
async fn build_info() -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": "",
        "branch": "",
        "buildUser": "tracebox",
        "buildDate": "",
        "goVersion": "",
    }))
}
