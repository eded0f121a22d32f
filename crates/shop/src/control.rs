//! Commands for a stack that runs: another program asks, over a socket in the run folder,
//! that one service stops or starts. One line asks, one line answers, and the connection is
//! over.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::services::Service;
use crate::stack::Stack;

pub use client::ask;
pub use request::Request;

mod client;
mod request;

/// Longer than any line that asks for something.
const REQUEST_BYTES: u64 = 256;
/// A program that connects knows what it wants.
const REQUEST_LIMIT: Duration = Duration::from_secs(2);
/// Somebody who does not read the answer does not get it.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// More than there are services; the next one waits until one of these is over.
const CONVERSATIONS: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The answer: as JSON, because an error may show several lines of a log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(String),
    Refused(String),
}

/// What is said when a service ended in order, whoever asked it to.
pub fn was_stopped(service: Service) -> String {
    format!(
        "{service} was stopped; the rest goes on (start it again with `cargo shop start {service}`)"
    )
}

/// The socket, open. It goes with the run folder.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Opens the socket in the run folder of this stack, where only its owner comes in.
    ///
    /// # Errors
    /// Among others if the temporary folder lies so deep that the path is too long for a socket.
    pub fn open(stack: &Stack) -> anyhow::Result<Self> {
        // Short names: macOS takes 103 bytes for the whole path.
        let path = stack.run_folder().private_folder("ctl")?.join("socket");
        let listener = UnixListener::bind(&path).with_context(|| {
            format!(
                "cannot listen on {}: set TMPDIR to a folder with a short path",
                path.display()
            )
        })?;
        Ok(Self { listener, path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Answers until the future is dropped, and tells `say` what was done. Whoever is slow or talks
    /// nonsense holds up nobody.
    pub async fn serve(&self, stack: &Stack, say: impl Fn(&str)) -> Infallible {
        let desk = Desk {
            stack,
            say: &say,
            busy: Mutex::default(),
        };
        let mut conversations = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if conversations.len() < CONVERSATIONS => {
                    match accepted {
                        Ok((stream, _)) => conversations.push(desk.converse(stream)),
                        // No descriptor is left, for example: that passes.
                        Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                    }
                }
                Some(()) = conversations.next() => {}
            }
        }
    }
}

/// What all conversations of one stack share.
struct Desk<'a> {
    stack: &'a Stack,
    say: &'a dyn Fn(&str),
    /// Services that are being stopped or started in this moment.
    busy: Mutex<BTreeSet<Service>>,
}

impl Desk<'_> {
    async fn converse(&self, stream: UnixStream) {
        let (reading, mut writing) = stream.into_split();
        let request = match timeout(REQUEST_LIMIT, read_request(reading)).await {
            Ok(request) => request,
            Err(_) => Err(anyhow::anyhow!("no request came within {REQUEST_LIMIT:?}")),
        };
        let done = match request {
            Ok(request) => self.perform(request).await,
            Err(error) => Err(error),
        };
        let answer = match done {
            Ok(done) => Answer::Done(done),
            Err(error) => Answer::Refused(format!("{error:#}")),
        };
        if let Ok(mut line) = serde_json::to_vec(&answer) {
            line.push(b'\n');
            // Who went away meanwhile gets what was asked for all the same.
            let _ = timeout(ANSWER_LIMIT, writing.write_all(&line)).await;
        }
    }

    async fn perform(&self, request: Request) -> anyhow::Result<String> {
        let service = request.service();
        let _claimed = self.claim(service)?;
        let runs = self.stack.pid(service);
        let said = match (request, runs) {
            (Request::Stop(_), None) => bail!(
                "{service} is stopped already; start it again with `cargo shop start {service}`"
            ),
            (Request::Start(_), Some(pid)) => bail!("{service} runs already, as process {pid}"),
            (Request::Stop(_), Some(_)) => {
                let stopped = self.stack.stop_service_orderly(service).await;
                // Also after an end that was not in order: it is stopped.
                (self.say)(&was_stopped(service));
                stopped?;
                return Ok(was_stopped(service));
            }
            (Request::Start(_), None) => {
                self.stack
                    .start_service(service)
                    .await
                    .with_context(|| format!("{service} did not start and stays stopped"))?;
                let url = self.stack.url_of(service);
                format!(
                    "{service} is ready again at {}",
                    url.as_str().trim_end_matches('/')
                )
            }
        };
        (self.say)(&said);
        Ok(said)
    }

    fn claim(&self, service: Service) -> anyhow::Result<Claim<'_>> {
        let busy = &self.busy;
        if !lock(busy).insert(service) {
            bail!("somebody else stops or starts {service} in this moment");
        }
        Ok(Claim { busy, service })
    }
}

/// Frees the service when it is dropped.
struct Claim<'a> {
    busy: &'a Mutex<BTreeSet<Service>>,
    service: Service,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        lock(self.busy).remove(&self.service);
    }
}

fn lock(busy: &Mutex<BTreeSet<Service>>) -> MutexGuard<'_, BTreeSet<Service>> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_request(reading: impl tokio::io::AsyncRead + Unpin) -> anyhow::Result<Request> {
    let mut line = Vec::new();
    BufReader::new(reading.take(REQUEST_BYTES))
        .read_until(b'\n', &mut line)
        .await?;
    match line.strip_suffix(b"\n") {
        Some(line) => String::from_utf8_lossy(line).parse(),
        None => bail!("a request is one line of at most {REQUEST_BYTES} bytes"),
    }
}
