//! One service of a stack that runs: stopped, killed and started again, while the rest
//! goes on.

use std::sync::Arc;

use anyhow::{Context, bail};
use nix::sys::signal::Signal;

use super::{Stack, launch};
use crate::process::{PartFailed, Process, Stopped};
use crate::services::Service;

/// What it means that a part ended which the runner did not stop.
#[derive(Debug, Clone)]
pub enum PartEnded {
    /// A service that ended in order: somebody asked it to.
    Stopped(Service),
    /// A service that crashed, or a server that ended in whatever way: the services cannot do
    /// without it.
    Failed(PartFailed),
}

impl From<PartFailed> for PartEnded {
    fn from(ended: PartFailed) -> Self {
        match ended.part.parse() {
            Ok(service) if ended.orderly => Self::Stopped(service),
            _ => Self::Failed(ended),
        }
    }
}

impl Stack {
    /// The process number of a service that runs.
    pub fn pid(&self, service: Service) -> Option<u32> {
        self.running(service).map(|process| process.pid())
    }

    /// Asks a service to stop and waits for its end.
    pub async fn stop_service(&self, service: Service) -> anyhow::Result<Stopped> {
        let process = self.must_run(service)?;
        Ok(process.stop(launch::STOP_LIMIT).await)
    }

    /// The same, and anything but an orderly end is an error.
    pub(crate) async fn stop_service_orderly(&self, service: Service) -> anyhow::Result<()> {
        let process = self.must_run(service)?;
        if process.stop(launch::STOP_LIMIT).await == Stopped::Killed {
            bail!(
                "{service} did not stop within {:?} and was killed{}",
                launch::STOP_LIMIT,
                process.log_excerpt()
            );
        }
        let ended = process.failure().await;
        if !ended.orderly {
            bail!(
                "{service} stopped, but not in order ({}){}",
                ended.status,
                process.log_excerpt()
            );
        }
        Ok(())
    }

    /// Kills a service without asking.
    pub async fn kill_service(&self, service: Service) -> anyhow::Result<()> {
        self.must_run(service)?.kill().await;
        Ok(())
    }

    /// Sends a signal to a service and does not wait. Its end is no failure from now on.
    pub fn signal_service(&self, service: Service, signal: Signal) -> anyhow::Result<()> {
        self.must_run(service)?.signal(signal);
        Ok(())
    }

    /// Starts a service that was stopped, where it listened before.
    pub async fn start_service(&self, service: Service) -> anyhow::Result<()> {
        self.start_service_with(service, &[]).await
    }

    /// The same with more variables, for this start only.
    pub async fn start_service_with(
        &self,
        service: Service,
        env: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        if let Some(pid) = self.pid(service) {
            bail!("{service} runs already, as process {pid}");
        }
        let process = self.relaunch(service, env).await?;
        self.services().insert(service, Arc::new(process));
        Ok(())
    }

    fn must_run(&self, service: Service) -> anyhow::Result<Arc<Process>> {
        self.running(service)
            .with_context(|| format!("{service} does not run"))
    }

    /// One that ended stays known until it is started again or the stack stops.
    fn running(&self, service: Service) -> Option<Arc<Process>> {
        let services = self.services();
        let process = services.get(&service)?;
        (!process.has_ended()).then(|| Arc::clone(process))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(part: &str, orderly: bool) -> PartEnded {
        PartEnded::from(PartFailed {
            part: part.to_owned(),
            status: String::new(),
            orderly,
            log: std::path::PathBuf::new(),
            last_lines: Vec::new(),
        })
    }

    #[test]
    fn only_a_service_that_ended_in_order_was_stopped() {
        for service in Service::ALL {
            assert!(matches!(
                ended(service.name(), true),
                PartEnded::Stopped(stopped) if stopped == service
            ));
            assert!(matches!(ended(service.name(), false), PartEnded::Failed(_)));
        }
        assert!(matches!(ended("postgres", true), PartEnded::Failed(_)));
        assert!(matches!(ended("redis", true), PartEnded::Failed(_)));
    }
}
