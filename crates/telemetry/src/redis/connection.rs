//! The connection: shared, made when needed, and quick to say that Redis is away.

use std::{fmt, sync::Arc, time::Duration};

use opentelemetry::Context;
use redis::{
    Client, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};

use super::{
    command::{Description, describe, describe_pipeline},
    reply::{failure, pipeline_failure, returned_rows},
    span::{CommandSpan, Server},
};
use crate::{query_text_enabled, tenant::tenant_of};

/// How long Redis may take. A cache that answers late is worse than one that is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// Longest time to open a connection.
    pub connection_timeout: Duration,
    /// Longest time to answer a command.
    pub response_timeout: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            connection_timeout: Duration::from_millis(500),
            response_timeout: Duration::from_secs(1),
        }
    }
}

/// A connection to Redis whose commands are traced. Cheap to clone; clones share the connection.
///
/// The commands of [`redis::AsyncCommands`] take `&mut self`: clone it where you have only `&`.
///
/// When Redis is away, commands fail at once (refused) or within the settings' limits (silent);
/// the first command after it is back connects again.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    server: Arc<Server>,
    tenant: Option<Arc<str>>,
    is_cache: bool,
}

impl Redis {
    /// Prepares a connection to `redis://[user:password@]host:port[/database]`; the first command
    /// opens it. Call it on the runtime that shall use it.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn connect(url: &str) -> RedisResult<Self> {
        Self::connect_with(url, &RedisSettings::default())
    }

    /// [`connect`](Self::connect) with other limits.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn connect_with(url: &str, settings: &RedisSettings) -> RedisResult<Self> {
        let client = Client::open(url)?;
        let server = Arc::new(Server::new(client.get_connection_info()));
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connection_timeout))
            .set_response_timeout(Some(settings.response_timeout))
            // Every retry would make all commands wait for its back-off. The next command tries again.
            .set_number_of_retries(0);
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config)?,
            server,
            tenant: None,
            is_cache: false,
        })
    }

    /// The same connection for the keys of one tenant: [`key`](Self::key) puts `{tenant}:` before
    /// them, spans bear `tenant.id` and show the keys without it.
    pub fn for_tenant(&self, tenant: &str) -> Self {
        Self {
            tenant: Some(tenant.into()),
            ..self.clone()
        }
    }

    /// The same connection, used as a cache: a `GET` or `MGET` that does not find every key bears
    /// the event `cache miss` on its span.
    pub fn as_cache(&self) -> Self {
        Self {
            is_cache: true,
            ..self.clone()
        }
    }

    /// The key under which this tenant's `name` is stored: `acme:inventory:item_42`. Without
    /// [`for_tenant`](Self::for_tenant) the name itself.
    pub fn key(&self, name: &str) -> String {
        match &self.tenant {
            Some(tenant) => format!("{tenant}:{name}"),
            None => name.to_owned(),
        }
    }

    fn start(
        &self,
        description: impl FnOnce(Option<&str>, bool) -> Description,
    ) -> Option<CommandSpan> {
        let parent = Context::current();
        if parent.is_telemetry_suppressed() {
            return None;
        }
        let tenant = match &self.tenant {
            Some(tenant) => Some(tenant.to_string()),
            None => tenant_of(&parent),
        };
        let description = description(tenant.as_deref(), query_text_enabled());
        Some(CommandSpan::start(
            &self.server,
            description,
            tenant,
            &parent,
        ))
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

fn is_fewer(rows: i64, keys: usize) -> bool {
    usize::try_from(rows).is_ok_and(|rows| rows < keys)
}

/// Whether this is the news of an earlier attempt to connect: the connection manager hands it to
/// the next command and only then tries again. The command was never sent.
fn is_stale_refusal<T>(result: &RedisResult<T>) -> bool {
    result
        .as_ref()
        .is_err_and(RedisError::is_connection_refusal)
}

impl ConnectionLike for Redis {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let mut operation = String::new();
            let mut keys = 0;
            let span = self.start(|tenant, text| {
                let description = describe(cmd, tenant, text);
                operation.clone_from(&description.operation);
                keys = cmd.args_iter().count().saturating_sub(1);
                description
            });
            let mut result = self.connection.req_packed_command(cmd).await;
            if is_stale_refusal(&result) {
                result = self.connection.req_packed_command(cmd).await;
            }
            if let Some(span) = span {
                let rows = result
                    .as_ref()
                    .ok()
                    .and_then(|value| returned_rows(&operation, value));
                let is_lookup = matches!(operation.as_str(), "GET" | "MGET");
                if self.is_cache && is_lookup && rows.is_some_and(|rows| is_fewer(rows, keys)) {
                    span.miss();
                }
                span.finish(rows, failure(&result));
            }
            result
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let span = self.start(|tenant, text| describe_pipeline(pipeline, tenant, text));
            let mut result = self
                .connection
                .req_packed_commands(pipeline, offset, count)
                .await;
            if is_stale_refusal(&result) {
                result = self
                    .connection
                    .req_packed_commands(pipeline, offset, count)
                    .await;
            }
            if let Some(span) = span {
                span.finish(None, pipeline_failure(&result));
            }
            result
        })
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}
