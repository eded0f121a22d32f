//! A private Postgres: its own data folder, port and password, on loopback, thrown away at
//! the end. The system's service and its data are never touched.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User, chown, geteuid};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::Instant;
use url::Url;

use crate::ports;
use crate::process::{PartFailed, Process, Program};
use crate::programs::{self, Installed};
use crate::run_folder::RunFolder;

/// `initdb --no-instructions`, and what the migrations use.
pub const MINIMUM_VERSION: u32 = 14;
const SUPERUSER: &str = "postgres";
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Somebody else may take the port that was free a moment ago.
const PORT_ATTEMPTS: usize = 5;

/// Settings of an instance whose data nobody wants back after a crash.
const SETTINGS: [&str; 14] = [
    "listen_addresses=127.0.0.1",
    // No socket: nothing to collide, no path that is too long.
    "unix_socket_directories=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=400",
    "shared_buffers=128MB",
    // In the data folder, so that even a killed server leaves nothing elsewhere.
    "dynamic_shared_memory_type=mmap",
    // Compiling a query now and then would look like a slow query.
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
];

/// The server programs of one installed version, if it is new enough.
pub fn find() -> anyhow::Result<Installed> {
    let mut refused = Vec::new();
    for folder in programs::postgres_folders() {
        let (server, initdb) = (folder.join("postgres"), folder.join("initdb"));
        if !programs::is_executable(&server) || !programs::is_executable(&initdb) {
            continue;
        }
        match programs::version_of(&server) {
            Ok(version) if version.major >= MINIMUM_VERSION => {
                return Ok(Installed {
                    program: server,
                    version,
                });
            }
            Ok(version) => refused.push(format!("{} is version {version}", server.display())),
            Err(error) => refused.push(format!("{error:#}")),
        }
    }
    if refused.is_empty() {
        bail!("no PostgreSQL server of version {MINIMUM_VERSION} or newer was found");
    }
    bail!(
        "no PostgreSQL server of version {MINIMUM_VERSION} or newer was found: {}",
        refused.join("; ")
    )
}

/// A running private instance.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    data: PathBuf,
    port: u16,
    password: String,
}

impl Postgres {
    pub async fn start(installed: &Installed, folder: &Arc<RunFolder>) -> anyhow::Result<Self> {
        let user = unprivileged_user()?;
        let home = folder.private_folder("postgres")?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let password_file = folder.private_file("postgres/password", &password)?;
        for path in [&home, &password_file] {
            if let Some((user, group)) = user {
                chown(path, Some(Uid::from_raw(user)), Some(Gid::from_raw(group))).with_context(
                    || format!("cannot give {} to the Postgres user", path.display()),
                )?;
            }
        }
        let data = home.join("data");
        init_data(installed, &home, &data, &password_file, user).await?;
        let _ = std::fs::remove_file(&password_file);

        let mut attempt = 1;
        loop {
            let port = ports::free_port().context("no free loopback port")?;
            let program = server_program(installed, &home, &data, port, user);
            let process = Process::start(&program, folder)?;
            let postgres = Self {
                process,
                data: data.clone(),
                port,
                password: password.clone(),
            };
            match postgres.wait_until_it_answers().await {
                Ok(()) => return Ok(postgres),
                Err(error) => {
                    postgres.process.stop(STOP_LIMIT).await;
                    let taken = format!("{error:#}").contains("could not bind");
                    if !taken || attempt == PORT_ATTEMPTS {
                        return Err(error);
                    }
                    attempt += 1;
                }
            }
        }
    }

    /// The address of a database, with the password of this instance.
    pub fn url(&self, database: &str) -> Url {
        let text = format!(
            "postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}",
            self.password, self.port
        );
        Url::parse(&text).expect("host, port and hexadecimal password make a valid URL")
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// From now on an end that nobody asked for is sent there.
    pub fn report_to(&mut self, failures: mpsc::UnboundedSender<PartFailed>) {
        self.process.report_to(failures);
    }

    /// A fast shutdown: open sessions are ended. Killed if it takes too long.
    pub async fn stop(self) {
        self.process.stop(STOP_LIMIT).await;
        let _ = std::fs::remove_dir_all(&self.data);
    }

    async fn wait_until_it_answers(&self) -> anyhow::Result<()> {
        let options =
            PgConnectOptions::from_url(&self.url("postgres"))?.disable_statement_logging();
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if self.process.has_ended() {
                return Err(self.process.failure().await.into());
            }
            match options.connect().await {
                Ok(connection) => {
                    let _ = connection.close().await;
                    return Ok(());
                }
                Err(error) if Instant::now() > deadline => {
                    return Err(error).context(format!(
                        "Postgres does not answer on port {} after {START_LIMIT:?}{}",
                        self.port,
                        self.process.log_excerpt()
                    ));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

async fn init_data(
    installed: &Installed,
    home: &Path,
    data: &Path,
    password_file: &Path,
    user: Option<(u32, u32)>,
) -> anyhow::Result<()> {
    let initdb = installed.program.with_file_name("initdb");
    let mut command = Command::new(&initdb);
    command
        .arg("--pgdata")
        .arg(data)
        .arg("--pwfile")
        .arg(password_file)
        // A password, because every user of the machine can reach a loopback port.
        .args(["--username", SUPERUSER, "--auth", "password"])
        .args(["--encoding", "UTF8", "--locale", "C"])
        .args(["--no-sync", "--no-instructions"])
        .current_dir(home)
        .env("LC_ALL", "C")
        .process_group(0)
        .kill_on_drop(true);
    for (key, _) in std::env::vars_os() {
        if key.to_str().is_some_and(|key| key.starts_with("PG")) {
            command.env_remove(key);
        }
    }
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    let output = command
        .output()
        .await
        .with_context(|| format!("cannot start {}", initdb.display()))?;
    if !output.status.success() {
        bail!(
            "{} could not make a data folder in {} ({}): {}{}",
            initdb.display(),
            home.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim(),
            if user.is_some() {
                "; if the Postgres user cannot reach that folder, set TMPDIR to one it can, \
                 for example TMPDIR=/var/tmp"
            } else {
                ""
            }
        );
    }
    Ok(())
}

fn server_program(
    installed: &Installed,
    home: &Path,
    data: &Path,
    port: u16,
    user: Option<(u32, u32)>,
) -> Program {
    let mut program = Program::new("postgres", &installed.program);
    program.args = vec!["-D".to_owned(), data.display().to_string()];
    program.args.extend(["-p".to_owned(), port.to_string()]);
    for setting in SETTINGS {
        program.args.extend(["-c".to_owned(), setting.to_owned()]);
    }
    program.env = vec![("LC_ALL".to_owned(), "C".to_owned())];
    program.hidden_env = &["PG"];
    program.user = user;
    program.folder = Some(home.to_path_buf());
    // Fast shutdown; SIGTERM would wait for every open session.
    program.stop_signal = Signal::SIGINT;
    program
}

/// Postgres refuses to run as root: then it runs as the user of its package, or as nobody.
fn unprivileged_user() -> anyhow::Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "_postgres", "nobody"] {
        if let Some(user) = User::from_name(name)?
            && !user.uid.is_root()
        {
            return Ok(Some((user.uid.as_raw(), user.gid.as_raw())));
        }
    }
    bail!(
        "Postgres does not run as root, and there is no user `postgres` or `nobody` on this \
         machine: run this command as an ordinary user"
    )
}
