//! The order of a stop: services, queues, trace store, servers, run folder.

use anyhow::bail;

use super::{Stack, launch};
use crate::services::Service;

impl Stack {
    /// Stops everything, the callers before the called, and removes what it made.
    ///
    /// # Errors
    /// If something could not be removed; the rest is gone nevertheless.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let mut problems = Vec::new();
        for service in Service::ALL.into_iter().rev() {
            let process = self.services().remove(&service);
            if let Some(process) = process {
                process.stop(launch::STOP_LIMIT).await;
            }
        }
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.stop().await;
        }
        if let Some(tracebox) = self.tracebox.take() {
            tracebox.0.stop().await;
        }
        // A private server takes its databases with it.
        if self.postgres.is_none()
            && let Some(database) = self.database.take()
            && let Err(error) = database.drop_it().await
        {
            problems.push(format!("{error:#}"));
        }
        if let Some(lease) = self.lease.take()
            && let Err(error) = lease.give_back().await
        {
            problems.push(format!("{error:#}"));
        }
        if let Some(redis) = self.redis.take() {
            redis.stop().await;
        }
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await;
        }
        if let Err(error) = self.folder.close().await {
            problems.push(format!("{error:#}"));
        }
        if problems.is_empty() {
            return Ok(());
        }
        bail!("{}", problems.join("; "))
    }
}
