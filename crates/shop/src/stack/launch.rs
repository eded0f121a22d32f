//! One service: started, announced, ready.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use super::Stack;
use crate::process::{PartFailed, Process, Program};
use crate::services::Service;
use crate::sqs::Queues;
use crate::workspace;

/// A machine that does something else with all its cores takes its time.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Longer than a service takes to drain requests and background work and to flush.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(20);
/// How long a port may stay with a connection of somebody else.
const SAME_PORT_LIMIT: Duration = Duration::from_secs(15);

/// The user's own settings of telemetry and AWS would lead children elsewhere.
const HIDDEN: &[&str] = &["OTEL_", "AWS_"];
const HIDDEN_BUT_AWS: &[&str] = &["OTEL_"];

impl Stack {
    /// Starts a service and waits until it is ready; 0 lets it choose its port.
    pub(super) async fn launch(
        &self,
        service: Service,
        port: u16,
        env: &[(&str, &str)],
    ) -> anyhow::Result<(Process, SocketAddr)> {
        let mut program = Program::new(service.name(), workspace::binary(service.name())?);
        program.announces = true;
        program.hidden_env = match self.options.queues {
            Queues::Embedded => HIDDEN,
            Queues::FromEnvironment => HIDDEN_BUT_AWS,
        };
        program.env = self.surroundings().env(service, port, &self.addresses)?;
        let of_options = self.options.env.iter().filter(|(of, _, _)| *of == service);
        program
            .env
            .extend(of_options.map(|(_, name, value)| (name.clone(), value.clone())));
        let of_this_start = env.iter();
        program
            .env
            .extend(of_this_start.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut process = Process::start(&program, &self.folder)?;
        match self.address_when_ready(&mut process).await {
            Ok(address) => Ok((process, address)),
            Err(error) => {
                // It must not keep the port from the next start.
                process.kill().await;
                Err(error)
            }
        }
    }

    async fn address_when_ready(&self, process: &mut Process) -> anyhow::Result<SocketAddr> {
        let address = process.announced_address(START_LIMIT).await?;
        self.wait_until_ready(process, address).await?;
        Ok(address)
    }

    /// Starts a service where it listened before. Meanwhile the system may have lent the
    /// port to an outgoing connection: then again, a moment later.
    pub(super) async fn relaunch(
        &self,
        service: Service,
        env: &[(&str, &str)],
    ) -> anyhow::Result<Process> {
        let port = self.addresses[&service].port();
        let deadline = Instant::now() + SAME_PORT_LIMIT;
        loop {
            let error = match self.launch(service, port, env).await {
                Ok((mut process, _)) => {
                    process.report_to(self.failure_sender.clone());
                    return Ok(process);
                }
                Err(error) => error,
            };
            if !is_port_taken(&error) || Instant::now() > deadline {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn wait_until_ready(&self, process: &Process, address: SocketAddr) -> anyhow::Result<()> {
        let url = format!("http://{address}/ready");
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if process.has_ended() {
                return Err(process.failure().await.into());
            }
            let answer = match self.probe.get(&url).send().await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) => {
                    let status = response.status();
                    format!("{status} {}", response.text().await.unwrap_or_default())
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() > deadline {
                bail!(
                    "{} is not ready after {START_LIMIT:?}: {url} answers `{}`{}",
                    process.name(),
                    answer.trim(),
                    process.log_excerpt()
                );
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }
}

fn is_port_taken(error: &anyhow::Error) -> bool {
    error.downcast_ref::<PartFailed>().is_some_and(|failure| {
        failure
            .last_lines
            .iter()
            .any(|line| line.contains("cannot listen on") || line.contains("in use"))
    })
}
