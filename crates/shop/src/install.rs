//! Finds Postgres and Redis, and installs what is missing where that needs no password:
//! with apt as root or through `sudo -n`, with Homebrew as it is. Otherwise it says what to
//! type.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use nix::unistd::geteuid;

use crate::process::last_lines;
use crate::programs::{Installed, on_path};
use crate::progress::Progress;
use crate::{postgres, redis};

pub use package_manager::{Missing, PackageManager};

mod package_manager;

/// Set to anything, it forbids installing, like `--no-install`.
pub const NO_INSTALL: &str = "SPANTREE_NO_INSTALL";

/// Installs without starting anything: packages of servers start them and enable them
/// otherwise. A policy that the machine already has is left as it is.
const APT_SCRIPT: &str = r#"
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=120 update
apt-get -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends "$@"
"#;

/// The two servers that a stack needs.
#[derive(Debug)]
pub struct Servers {
    pub postgres: anyhow::Result<Installed>,
    pub redis: anyhow::Result<Installed>,
}

impl Servers {
    pub fn find() -> Self {
        Self {
            postgres: postgres::find(),
            redis: redis::find(),
        }
    }

    fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        if self.postgres.is_err() {
            missing.push(Missing::Postgres);
        }
        if self.redis.is_err() {
            missing.push(Missing::Redis);
        }
        missing
    }
}

/// What to type to get these, in one sentence.
pub fn advice(missing: &[Missing]) -> String {
    match PackageManager::find() {
        Some(manager) => format!("install with `{}`", manager.command(missing)),
        None => format!(
            "install {}, or PostgreSQL {} or newer and Redis {} or newer in any other way, so \
             that `postgres` and `redis-server` are on the PATH",
            names(missing),
            postgres::MINIMUM_VERSION,
            redis::MINIMUM_VERSION
        ),
    }
}

/// Whether something may be installed without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    Allowed,
    Forbidden,
}

impl Permission {
    /// Forbidden by the flag or the variable.
    pub fn new(no_install: bool) -> Self {
        let by_variable = std::env::var_os(NO_INSTALL).is_some_and(|value| !value.is_empty());
        if no_install || by_variable {
            Self::Forbidden
        } else {
            Self::Allowed
        }
    }
}

/// Makes sure that both servers are there.
///
/// # Errors
/// If one is missing and could not be installed: says what to type.
pub fn ensure(permission: Permission, progress: &dyn Progress) -> anyhow::Result<()> {
    let missing = Servers::find().missing();
    if missing.is_empty() {
        return Ok(());
    }
    if permission == Permission::Forbidden {
        bail!(
            "{} not found, and installing is switched off: {}",
            names(&missing),
            advice(&missing)
        );
    }
    let Some(install) = installer(&missing) else {
        bail!(
            "{} not found, and it takes a password to install: {}",
            names(&missing),
            advice(&missing)
        );
    };
    let log = install_log()?;
    progress.begin(&format!(
        "installing {} (log: {})",
        names(&missing),
        log.display()
    ));
    let began = Instant::now();
    run(install, &log)
        .with_context(|| format!("cannot install {}: {}", names(&missing), advice(&missing)))?;
    let still_missing = Servers::find();
    if let Err(error) = still_missing
        .postgres
        .as_ref()
        .and(still_missing.redis.as_ref())
    {
        bail!(
            "the packages were installed, and still {error:#}; see {}, and `cargo shop doctor`",
            log.display()
        );
    }
    let _ = std::fs::remove_file(&log);
    progress.done(
        &format!(
            "installed {}; the packages' own services were not started",
            names(&missing)
        ),
        began.elapsed(),
    );
    Ok(())
}

/// The command that installs without asking for anything, if there is one.
fn installer(missing: &[Missing]) -> Option<Command> {
    let manager = PackageManager::find()?;
    let packages = missing.iter().map(|missing| manager.package(*missing));
    let mut command = match manager {
        PackageManager::Apt if geteuid().is_root() => Command::new("/bin/sh"),
        PackageManager::Apt if sudo_asks_nothing() => {
            let mut command = Command::new("sudo");
            command.args(["-n", "/bin/sh"]);
            command
        }
        PackageManager::Brew if !geteuid().is_root() => {
            let mut command = Command::new("brew");
            command.env("HOMEBREW_NO_AUTO_UPDATE", "1").arg("install");
            command.args(packages);
            return Some(command);
        }
        _ => return None,
    };
    command.args(["-c", APT_SCRIPT, "spantree-install"]);
    command.args(packages);
    Some(command)
}

fn sudo_asks_nothing() -> bool {
    on_path("sudo").is_some_and(|sudo| {
        Command::new(sudo)
            .args(["-n", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

fn run(mut command: Command, log: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::create(log)
        .with_context(|| format!("cannot write the log {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .context("cannot start the package manager")?;
    if !status.success() {
        bail!(
            "the package manager failed ({status}); the last lines of {}:\n    {}",
            log.display(),
            last_lines(log, 20).join("\n    ")
        );
    }
    Ok(())
}

/// Kept when it failed, so outside of any run folder.
fn install_log() -> anyhow::Result<PathBuf> {
    let file = tempfile::Builder::new()
        .prefix("spantree-install-")
        .suffix(".log")
        .tempfile()
        .context("cannot write to the temporary folder")?;
    let (_, path) = file.keep().context("cannot keep the log")?;
    Ok(path)
}

fn names(missing: &[Missing]) -> String {
    let names: Vec<_> = missing.iter().map(Missing::to_string).collect();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    const BOTH: [Missing; 2] = [Missing::Postgres, Missing::Redis];

    #[test]
    fn each_package_manager_has_a_command_to_type() {
        let command = PackageManager::Apt.command(&BOTH);
        assert!(command.ends_with("apt-get install --yes postgresql redis-server"));
        assert!(
            PackageManager::Dnf
                .command(&BOTH)
                .ends_with("postgresql-server valkey")
        );
        assert_eq!(
            PackageManager::Brew.command(&[Missing::Redis]),
            "brew install redis"
        );
    }

    #[test]
    fn what_is_there_is_not_installed_again() {
        let servers = Servers::find();
        assert!(
            servers.missing().is_empty(),
            "these tests need both servers"
        );
        ensure(Permission::Forbidden, &Silent).unwrap();
    }

    #[test]
    fn a_failing_package_manager_is_quoted() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo no space left >&2; exit 100"]);
        let error = run(command, log.path()).unwrap_err().to_string();
        assert!(
            error.contains("exit status: 100") && error.contains("no space left"),
            "{error}"
        );
    }
}
