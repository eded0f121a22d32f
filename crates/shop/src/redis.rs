//! A private Redis (or Valkey): its own port and password, nothing written to disk. And the
//! logical databases of a Redis that several stacks share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc;
use tokio::time::Instant;
use url::Url;

use crate::ports;
use crate::process::{PartFailed, Process, Program};
use crate::programs::{self, Installed};
use crate::run_folder::RunFolder;

/// `SET … EX … GET` and access lists arrived with 6.
pub const MINIMUM_VERSION: u32 = 6;
const DATABASES: u32 = 1024;
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(5);
const PORT_ATTEMPTS: usize = 5;
/// A lease that nobody gave back, because a test was killed, ends by itself.
const LEASE_SECONDS: u64 = 3600;

/// The server program, if it is new enough.
pub fn find() -> anyhow::Result<Installed> {
    let mut refused = Vec::new();
    for program in programs::redis_servers() {
        match programs::version_of(&program) {
            Ok(version) if version.major >= MINIMUM_VERSION => {
                return Ok(Installed { program, version });
            }
            Ok(version) => refused.push(format!("{} is version {version}", program.display())),
            Err(error) => refused.push(format!("{error:#}")),
        }
    }
    if refused.is_empty() {
        bail!("no Redis or Valkey server was found");
    }
    bail!(
        "no Redis or Valkey server of version {MINIMUM_VERSION} or newer was found: {}",
        refused.join("; ")
    )
}

/// A running private instance.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    url: Url,
}

impl Redis {
    pub async fn start(installed: &Installed, folder: &Arc<RunFolder>) -> anyhow::Result<Self> {
        let home = folder.private_folder("redis")?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let mut attempt = 1;
        loop {
            let port = ports::free_port().context("no free loopback port")?;
            // A file, because arguments can be read by every user of the machine.
            let settings = folder.private_file(
                &format!("redis/settings-{attempt}"),
                &settings(&home, port, &password),
            )?;
            let mut program = Program::new("redis", &installed.program);
            program.args = vec![settings.display().to_string()];
            let process = Process::start(&program, folder)?;
            let text = format!("redis://:{password}@127.0.0.1:{port}");
            let url =
                Url::parse(&text).expect("host, port and hexadecimal password make a valid URL");
            let redis = Self { process, url };
            match redis.wait_until_it_answers().await {
                Ok(()) => return Ok(redis),
                Err(error) => {
                    redis.process.stop(STOP_LIMIT).await;
                    let taken = format!("{error:#}").contains("ddress already in use");
                    if !taken || attempt == PORT_ATTEMPTS {
                        return Err(error);
                    }
                    attempt += 1;
                }
            }
        }
    }

    /// Its address, with the password of this instance.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// From now on an end that nobody asked for is sent there.
    pub fn report_to(&mut self, failures: mpsc::UnboundedSender<PartFailed>) {
        self.process.report_to(failures);
    }

    pub async fn stop(self) {
        self.process.stop(STOP_LIMIT).await;
    }

    async fn wait_until_it_answers(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if self.process.has_ended() {
                return Err(self.process.failure().await.into());
            }
            match ping(&self.url).await {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(format!(
                        "Redis does not answer after {START_LIMIT:?}{}",
                        self.process.log_excerpt()
                    )));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

fn settings(home: &Path, port: u16, password: &str) -> String {
    format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir \"{}\"\n\
         save \"\"\nappendonly no\ndatabases {DATABASES}\ndaemonize no\n",
        home.display()
    )
}

/// Whether a Redis answers at this address.
pub async fn ping(url: &Url) -> anyhow::Result<()> {
    let mut connection = connect(url).await?;
    redis::cmd("PING")
        .query_async::<()>(&mut connection)
        .await
        .context("Redis did not answer PING")
}

/// A logical database of a shared Redis which is nobody else's until it is given back.
#[derive(Debug)]
pub struct Lease {
    server: Url,
    index: u32,
}

impl Lease {
    /// Takes a free database and empties it. Leases are keys in database 0, so that
    /// processes which know nothing of each other agree.
    pub async fn take(server: &Url) -> anyhow::Result<Self> {
        let mut connection = connect(&with_database(server, 0)).await?;
        let count = databases(&mut connection).await;
        let start: u32 = redis::cmd("INCR")
            .arg("spantree:lease")
            .query_async::<u32>(&mut connection)
            .await
            .context("Redis refused to count leases")?;
        for offset in 0..count.saturating_sub(1) {
            let index = 1 + (start.wrapping_add(offset)) % (count - 1);
            let taken: Option<String> = redis::cmd("SET")
                .arg(lease_key(index))
                .arg(std::process::id())
                .arg("NX")
                .arg("EX")
                .arg(LEASE_SECONDS)
                .query_async(&mut connection)
                .await
                .context("Redis refused a lease")?;
            if taken.is_some() {
                let lease = Self {
                    server: server.clone(),
                    index,
                };
                lease.empty().await?;
                return Ok(lease);
            }
        }
        bail!(
            "all {count} databases of the shared Redis are leased: wait for the other stacks, or \
             start Redis with `--databases 1024`"
        )
    }

    /// The address of the database.
    pub fn url(&self) -> Url {
        with_database(&self.server, self.index)
    }

    /// Empties the database and gives it back.
    pub async fn give_back(self) -> anyhow::Result<()> {
        self.empty().await?;
        let mut connection = connect(&with_database(&self.server, 0)).await?;
        redis::cmd("DEL")
            .arg(lease_key(self.index))
            .query_async::<()>(&mut connection)
            .await
            .context("Redis refused to end a lease")
    }

    async fn empty(&self) -> anyhow::Result<()> {
        let mut connection = connect(&self.url()).await?;
        redis::cmd("FLUSHDB")
            .query_async::<()>(&mut connection)
            .await
            .context("Redis refused to empty a database")
    }
}

fn lease_key(index: u32) -> String {
    format!("spantree:lease:{index}")
}

/// How many databases the server has; Redis' own default if it does not tell.
async fn databases(connection: &mut MultiplexedConnection) -> u32 {
    let answer: Result<Vec<String>, _> = redis::cmd("CONFIG")
        .arg("GET")
        .arg("databases")
        .query_async(connection)
        .await;
    answer
        .ok()
        .and_then(|pair| pair.get(1)?.parse().ok())
        .unwrap_or(16)
}

pub(crate) fn with_database(server: &Url, index: u32) -> Url {
    let mut url = server.clone();
    url.set_path(&format!("/{index}"));
    url
}

#[expect(
    clippy::disallowed_methods,
    reason = "the runner looks after the server itself: its commands belong to no trace"
)]
async fn connect(url: &Url) -> anyhow::Result<MultiplexedConnection> {
    let place = format!(
        "Redis at {}:{}",
        url.host_str().unwrap_or("127.0.0.1"),
        url.port().unwrap_or(6379)
    );
    let client = redis::Client::open(url.as_str())
        .with_context(|| format!("the address of {place} is not valid"))?;
    client
        .get_multiplexed_async_connection()
        .await
        .with_context(|| format!("{place} does not answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_the_path_and_the_password_stays() {
        let server = Url::parse("redis://:secret@127.0.0.1:6379").unwrap();
        assert_eq!(
            with_database(&server, 7).as_str(),
            "redis://:secret@127.0.0.1:6379/7"
        );
    }
}
