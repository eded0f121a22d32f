//! The side that asks, in another program.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Answer, Request};
use crate::state::RunningStack;

/// Longer than the runner lets a service take to announce its address, to become ready and
/// to wait for its port.
const LIMIT: Duration = Duration::from_secs(180);
/// A few lines of a log are in it at most.
const ANSWER_BYTES: u64 = 1024 * 1024;

/// Asks a stack that runs and waits until it is done.
///
/// # Errors
/// If the stack does not answer, or refuses: the answer says why.
pub async fn ask(stack: &RunningStack, request: Request) -> anyhow::Result<String> {
    let runner = stack.pid();
    let Some(path) = &stack.control else {
        bail!("the stack of process {runner} takes no commands; it said why when it started");
    };
    let asked = async {
        let stream = UnixStream::connect(path).await?;
        let (reading, mut writing) = stream.into_split();
        writing.write_all(format!("{request}\n").as_bytes()).await?;
        let mut line = Vec::new();
        BufReader::new(reading.take(ANSWER_BYTES))
            .read_until(b'\n', &mut line)
            .await?;
        std::io::Result::Ok(line)
    };
    let line = timeout(LIMIT, asked)
        .await
        .with_context(|| format!("the stack of process {runner} did not answer in {LIMIT:?}"))?
        .with_context(|| format!("cannot talk to the stack of process {runner}"))?;
    if line.is_empty() {
        bail!("the stack of process {runner} ended before it answered");
    }
    let answer = serde_json::from_slice(&line)
        .with_context(|| format!("the stack of process {runner} answered something else"))?;
    match answer {
        Answer::Done(done) => Ok(done),
        Answer::Refused(reason) => bail!(reason),
    }
}
