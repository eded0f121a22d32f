//! The tenant a piece of work is done for, carried as baggage so that every span
//! below it, in this process and the next, can be told apart by tenant.

use opentelemetry::{
    Context,
    baggage::{Baggage, BaggageExt as _, KeyValueMetadata},
    context::FutureExt as _,
};

use crate::attributes::TENANT_ID;

/// Longest tenant id that is taken from baggage, which a stranger may have written.
const MAX_TENANT_BYTES: usize = 64;

/// Runs `future` for `tenant`: database, cache and queue spans below bear
/// `tenant.id`, and the services that are called inherit it.
///
/// Call it once the tenant has been *authenticated*. It replaces whatever tenant
/// the caller claimed in its own baggage.
///
/// ```
/// # async fn load_cart() {}
/// # async fn checkout(tenant: &str) {
/// telemetry::with_tenant(tenant, load_cart()).await
/// # }
/// ```
pub async fn with_tenant<F: Future>(tenant: &str, future: F) -> F::Output {
    let current = Context::current();
    let mut baggage: Baggage = current
        .baggage()
        .iter()
        .map(|(key, (value, metadata))| {
            KeyValueMetadata::new(key.clone(), value.clone(), metadata.clone())
        })
        .collect();
    baggage.insert(TENANT_ID, tenant.to_owned());
    future.with_context(current.with_baggage(baggage)).await
}

/// The tenant of the current context, if there is one.
pub fn current_tenant() -> Option<String> {
    Context::map_current(tenant_of)
}

/// The tenant in the baggage of `context`. Overlong values are not believed.
pub(crate) fn tenant_of(context: &Context) -> Option<String> {
    context
        .baggage()
        .get(TENANT_ID)
        .map(|value| value.as_str())
        .filter(|tenant| !tenant.is_empty() && tenant.len() <= MAX_TENANT_BYTES)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_tenant_is_visible_inside_and_gone_outside() {
        let inside = with_tenant("acme", async { current_tenant() }).await;
        assert_eq!(inside.as_deref(), Some("acme"));
        assert_eq!(current_tenant(), None);
    }

    #[tokio::test]
    async fn an_authenticated_tenant_replaces_a_claimed_one() {
        let seen = with_tenant("claimed", async {
            with_tenant("authenticated", async { current_tenant() }).await
        })
        .await;
        assert_eq!(seen.as_deref(), Some("authenticated"));
    }

    #[tokio::test]
    async fn an_overlong_tenant_is_not_believed() {
        let long = "x".repeat(MAX_TENANT_BYTES + 1);
        assert_eq!(with_tenant(&long, async { current_tenant() }).await, None);
    }
}
