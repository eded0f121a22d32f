//! sqlx's statement log makes a per-layer filter lose the span that follows a statement
//! (transact-rs/sqlx#3751, tokio-rs/tracing#2519). The pool turns that log off.
//!
//! A process of its own, because the subscriber is.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use telemetry::sqlx::{PgPool, PoolSettings};
use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

#[tracing::instrument(skip_all)]
async fn after_sql() {}

#[tokio::test]
async fn a_debug_directive_does_not_lose_the_span_after_a_statement() {
    let url = std::env::var("SPANTREE_TEST_POSTGRES")
        .unwrap_or_else(|_| panic!("SPANTREE_TEST_POSTGRES is not set: run `cargo shop test`"));
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    tracing_subscriber::registry()
        .with(
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("test"))
                .with_filter(EnvFilter::new("info,somewhere=debug")),
        )
        .init();

    let pool = PgPool::connect(&url, PoolSettings::default())
        .await
        .unwrap();
    for _ in 0..5 {
        sqlx::query("SELECT 1").execute(&pool).await.unwrap();
        after_sql().await;
    }
    let names: Vec<_> = exporter
        .get_finished_spans()
        .unwrap()
        .into_iter()
        .map(|span| span.name)
        .collect();
    assert_eq!(names, ["after_sql"; 5]);
}
