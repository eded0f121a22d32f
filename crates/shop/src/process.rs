//! One child process: started with its log in the run folder, watched, and stopped for sure.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::process::{ChildStdout, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::pid;
use crate::run_folder::RunFolder;

pub use failure::{PartFailed, last_lines};

mod failure;

const ANNOUNCEMENT: &str = "listening on ";

/// What to start, and how it is asked to stop.
#[derive(Debug, Clone)]
pub struct Program {
    pub name: String,
    pub path: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Variables of this process that the child must not see, by prefix.
    pub hidden_env: &'static [&'static str],
    /// Another user to run as; only root can.
    pub user: Option<(u32, u32)>,
    pub folder: Option<PathBuf>,
    pub stop_signal: Signal,
    /// Whether standard output is the announcement `listening on …` instead of a log.
    pub announces: bool,
}

impl Program {
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            args: Vec::new(),
            env: Vec::new(),
            hidden_env: &[],
            user: None,
            folder: None,
            stop_signal: Signal::SIGTERM,
            announces: false,
        }
    }
}

/// A running child. Dropped without [`Process::stop`], it is left to the watchdog of its run
/// folder.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    stop_signal: Signal,
    /// Set before a stop, so that the end is not reported as a failure.
    stopping: Arc<AtomicBool>,
    ended: watch::Receiver<Option<ExitStatus>>,
    announcement: Option<oneshot::Receiver<String>>,
    tasks: JoinSet<()>,
}

impl Process {
    /// Starts the program.
    pub fn start(program: &Program, folder: &Arc<RunFolder>) -> anyhow::Result<Self> {
        let name = program.name.clone();
        let log = folder.log_path(&name);
        let log_file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write the log {}", log.display()))?;

        let mut command = Command::new(&program.path);
        for (key, _) in std::env::vars_os() {
            let hidden = key.to_str().is_some_and(|key| {
                program
                    .hidden_env
                    .iter()
                    .any(|prefix| key.starts_with(prefix))
            });
            if hidden {
                command.env_remove(key);
            }
        }
        command
            .args(&program.args)
            .envs(program.env.iter().map(|(key, value)| (key, value)))
            .current_dir(program.folder.as_deref().unwrap_or_else(|| folder.path()))
            .stdin(Stdio::null())
            .stderr(log_file.try_clone()?)
            // Ctrl-C in the terminal is for the runner, which stops its parts in order.
            .process_group(0);
        if let Some((user, group)) = program.user {
            command.uid(user).gid(group);
        }
        if program.announces {
            command.stdout(Stdio::piped());
        } else {
            command.stdout(log_file.try_clone()?);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {name} from {}", program.path.display()))?;
        let pid = child
            .id()
            .with_context(|| format!("{name} has no process number"))?;
        folder.child_started(pid, program.stop_signal);

        let (ended_sender, ended) = watch::channel(None);
        let mut tasks = JoinSet::new();
        let announcement = child.stdout.take().map(|stdout| {
            let (sender, receiver) = oneshot::channel();
            tasks.spawn(read_announcement(stdout, sender, log_file));
            receiver
        });
        tasks.spawn({
            let folder = Arc::clone(folder);
            async move {
                if let Ok(status) = child.wait().await {
                    folder.child_ended(pid);
                    ended_sender.send_replace(Some(status));
                }
            }
        });
        Ok(Self {
            name,
            pid,
            log,
            stop_signal: program.stop_signal,
            stopping: Arc::default(),
            ended,
            announcement,
            tasks,
        })
    }

    /// From now on an end that nobody asked for is sent there. Before, whoever starts the
    /// program waits for it anyway.
    pub fn report_to(&mut self, failures: mpsc::UnboundedSender<PartFailed>) {
        let (name, log) = (self.name.clone(), self.log.clone());
        let (mut ended, stopping) = (self.ended.clone(), Arc::clone(&self.stopping));
        self.tasks.spawn(async move {
            let status = match ended.wait_for(Option::is_some).await {
                Ok(status) => *status,
                Err(_) => None,
            };
            if let Some(status) = status
                && !stopping.load(Ordering::SeqCst)
            {
                let _ = failures.send(PartFailed::new(&name, Some(status), &log));
            }
        });
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Waits for the end, whoever caused it.
    pub async fn ended(&self) -> Option<ExitStatus> {
        let mut ended = self.ended.clone();
        ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|status| *status)
    }

    /// Why it ended, with the end of its log. Waits for the end.
    pub async fn failure(&self) -> PartFailed {
        PartFailed::new(&self.name, self.ended().await, &self.log)
    }

    /// The address that the program printed as `listening on ADDRESS`.
    pub async fn announced_address(&mut self, limit: Duration) -> anyhow::Result<SocketAddr> {
        let Some(announcement) = self.announcement.take() else {
            bail!("{} does not announce an address", self.name);
        };
        let line = tokio::time::timeout(limit, announcement).await;
        match line {
            Ok(Ok(line)) => parse_announcement(&line).with_context(|| {
                format!(
                    "{} should have printed `{ANNOUNCEMENT}127.0.0.1:PORT`, it printed `{line}`",
                    self.name
                )
            }),
            // Standard output was closed: it is about to end, or has.
            Ok(Err(_)) => match tokio::time::timeout(limit, self.failure()).await {
                Ok(failure) => Err(failure.into()),
                Err(_) => bail!("{} closed its output and said no address", self.name),
            },
            Err(_) => bail!(
                "{} did not say within {limit:?} where it listens{}",
                self.name,
                self.log_excerpt()
            ),
        }
    }

    /// Asks it to stop, waits for `grace`, and kills it after that. Says whether it had to
    /// be killed.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        self.signal(self.stop_signal);
        if tokio::time::timeout(grace, self.ended()).await.is_ok() {
            return Stopped::Orderly;
        }
        self.kill().await;
        Stopped::Killed
    }

    /// Kills it without asking.
    pub async fn kill(&self) {
        self.signal(Signal::SIGKILL);
        self.ended().await;
    }

    /// Sends a signal, after which an end is no surprise.
    pub fn signal(&self, signal: Signal) {
        self.stopping.store(true, Ordering::SeqCst);
        if !self.has_ended() {
            pid::send(self.pid, signal);
        }
    }

    /// The end of the log, to be put behind a sentence.
    pub fn log_excerpt(&self) -> String {
        failure::log_excerpt(&self.log)
    }
}

/// How a process went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    Orderly,
    Killed,
}

/// The first line answers the runner; anything after it belongs into the log.
async fn read_announcement(
    stdout: ChildStdout,
    sender: oneshot::Sender<String>,
    log: std::fs::File,
) {
    let mut lines = tokio::io::BufReader::new(stdout).lines();
    let Ok(Some(first)) = lines.next_line().await else {
        return;
    };
    let _ = sender.send(first);
    let mut log = tokio::fs::File::from_std(log);
    while let Ok(Some(line)) = lines.next_line().await {
        let written = log.write_all(format!("{line}\n").as_bytes()).await;
        if written.is_err() || log.flush().await.is_err() {
            return;
        }
    }
}

fn parse_announcement(line: &str) -> Option<SocketAddr> {
    line.trim().strip_prefix(ANNOUNCEMENT)?.parse().ok()
}

#[cfg(test)]
mod tests;
