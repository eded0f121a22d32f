//! What is missing or in the way on this machine, and the command that mends it.

use std::fmt;
use std::process::Command;

use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;

use crate::install::{self, Missing, PackageManager, Servers};
use crate::services::Service;
use crate::{run_folder, state, workspace};

mod port_holder;

/// A run writes some 200 MB; a full disk fails in stranger ways than this one.
const NEEDED_BYTES: u128 = 1 << 30;
const NEEDED_RUST: (u32, u32) = (1, 95);
const TRACE_PORTS: [(u16, &str); 3] = [
    (3200, "trace store"),
    (4317, "OTLP over gRPC"),
    (4318, "OTLP over HTTP"),
];

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    /// Worth knowing; everything works.
    Note,
    /// Nothing starts before this is mended.
    Blocks,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    pub subject: String,
    pub found: String,
    /// What to type, or what to do.
    pub mend: Option<String>,
}

impl Finding {
    fn fine(subject: &str, found: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fine,
            subject: subject.to_owned(),
            found: found.into(),
            mend: None,
        }
    }

    fn note(subject: &str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Note,
            mend: Some(mend.into()),
            ..Self::fine(subject, found)
        }
    }

    fn blocks(subject: &str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Blocks,
            ..Self::note(subject, found, mend)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Fine => "ok",
            Verdict::Note => "note",
            Verdict::Blocks => "missing",
        };
        write!(f, "{word:<8} {:<16} {}", self.subject, self.found)?;
        match &self.mend {
            Some(mend) => write!(f, "\n{:26}{mend}", ""),
            None => Ok(()),
        }
    }
}

/// Looks at everything that a start needs. Changes nothing.
pub fn examine() -> Vec<Finding> {
    let servers = Servers::find();
    let mut findings = vec![toolchain()];
    findings.push(match &servers.postgres {
        Ok(found) => Finding::fine(
            "PostgreSQL",
            format!("{} at {}", found.version, found.program.display()),
        ),
        Err(error) => missing_server("PostgreSQL", error, Missing::Postgres),
    });
    findings.push(match &servers.redis {
        Ok(found) => Finding::fine(
            "Redis",
            format!("{} at {}", found.version, found.program.display()),
        ),
        Err(error) => missing_server("Redis", error, Missing::Redis),
    });
    findings.push(package_manager());
    findings.push(temporary_folder());
    let running = state::find();
    let running_pid = running.as_ref().map(state::RunningStack::pid);
    if let Some(stack) = running {
        findings.push(Finding::fine(
            "running stack",
            format!("process {}, {}", stack.pid(), stack.orders_url),
        ));
    }
    findings.extend(ports(running_pid.is_some()));
    findings.extend(leftovers());
    findings
}

/// Whether a start is possible.
pub fn can_start(findings: &[Finding]) -> bool {
    !findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Blocks)
}

fn toolchain() -> Finding {
    let cargo = workspace::cargo();
    let mend = "install Rust from https://rustup.rs, then `rustup show` in this folder fetches \
                the toolchain that rust-toolchain.toml names";
    let answer = Command::new(&cargo)
        .arg("--version")
        .current_dir(workspace::root())
        .output();
    let text = match &answer {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout),
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            return Finding::blocks("toolchain", error.trim(), mend);
        }
        Err(error) => {
            let found = format!("{} does not start: {error}", cargo.display());
            return Finding::blocks("toolchain", found, mend);
        }
    };
    match rust_version(&text) {
        Some(version) if version >= NEEDED_RUST => Finding::fine("toolchain", text.trim()),
        _ => Finding::blocks("toolchain", text.trim(), mend),
    }
}

/// From `cargo 1.95.0 (f2d3ce0bd 2026-03-21)`.
fn rust_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn missing_server(subject: &str, error: &anyhow::Error, missing: Missing) -> Finding {
    Finding::blocks(subject, format!("{error:#}"), install::advice(&[missing]))
}

fn package_manager() -> Finding {
    match PackageManager::find() {
        Some(manager) => Finding::fine("packages", format!("{manager:?}").to_lowercase()),
        None => Finding::note(
            "packages",
            "no package manager that is known here",
            "only matters when PostgreSQL or Redis is missing",
        ),
    }
}

fn temporary_folder() -> Finding {
    let folder = std::env::temp_dir();
    let subject = "temporary files";
    if let Err(error) = tempfile::tempdir() {
        return Finding::blocks(
            subject,
            format!("cannot write to {}: {error}", folder.display()),
            "set TMPDIR to a folder you may write to",
        );
    }
    let free = match statvfs(&folder) {
        Ok(stat) => u128::from(stat.blocks_available()) * u128::from(stat.fragment_size()),
        Err(error) => {
            let found = format!("{}: {error}", folder.display());
            return Finding::note(subject, found, "the free space could not be read");
        }
    };
    let found = format!("{} MB free in {}", free >> 20, folder.display());
    if free < NEEDED_BYTES {
        let mend = format!(
            "free {} MB, or set TMPDIR to a larger disk",
            NEEDED_BYTES >> 20
        );
        return Finding::blocks(subject, found, mend);
    }
    Finding::fine(subject, found)
}

/// A port that is held is no reason not to start: `up` takes another one.
fn ports(up_is_running: bool) -> Vec<Finding> {
    let services = Service::ALL.map(|service| (service.port(), service.name()));
    services
        .into_iter()
        .chain(TRACE_PORTS)
        .map(|(port, what)| {
            let subject = format!("port {port}");
            if crate::ports::is_free(port) {
                return Finding::fine(&subject, format!("free, for {what}"));
            }
            let holder = port_holder::of(port);
            let (held, mend) = match &holder {
                Some(holder) => (
                    format!("held by {} (process {})", holder.name, holder.pid),
                    format!(
                        "`cargo shop up` takes a free one for {what}, or: kill {}",
                        holder.pid
                    ),
                ),
                None => (
                    "held by a process of another user or container".to_owned(),
                    format!("`cargo shop up` takes a free one for {what}"),
                ),
            };
            if up_is_running {
                return Finding::fine(&subject, held);
            }
            Finding::note(&subject, held, mend)
        })
        .collect()
}

fn leftovers() -> Vec<Finding> {
    let stale = run_folder::stale_folders();
    if stale.is_empty() {
        return vec![Finding::fine(
            "leftovers",
            "no folder or process of a killed run",
        )];
    }
    stale
        .iter()
        .map(|folder| {
            let survivors = folder.survivors();
            let mut found = format!("{} of a killed run", folder.path.display());
            let mut mend = "the next `cargo shop demo`, `up` or `test` clears it".to_owned();
            if !survivors.is_empty() {
                let pids: Vec<_> = survivors.iter().map(u32::to_string).collect();
                found.push_str(&format!(", processes {} still run", pids.join(" ")));
                mend.push_str(&format!(", or: kill {}", pids.join(" ")));
            }
            Finding::note("leftovers", found, mend)
        })
        .collect()
}

/// Who asks, in the words of the report.
pub fn who() -> String {
    let name = nix::unistd::User::from_uid(geteuid())
        .ok()
        .flatten()
        .map_or_else(|| geteuid().to_string(), |user| user.name);
    format!(
        "{name} on {} {}",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_what_to_type() {
        let finding = Finding::blocks("Redis", "no server was found", "apt-get install redis");
        let text = finding.to_string();
        assert_eq!(
            text,
            "missing  Redis            no server was found\n                          apt-get install redis"
        );
        assert!(!can_start(&[finding]));
    }

    #[test]
    fn a_note_does_not_stand_in_the_way() {
        assert!(can_start(&[
            Finding::fine("toolchain", "cargo 1.95.0"),
            Finding::note("port 8080", "held", "another one is taken"),
        ]));
    }

    #[test]
    fn the_machine_of_these_tests_can_start_a_stack() {
        let findings = examine();
        let report: Vec<_> = findings.iter().map(Finding::to_string).collect();
        assert!(can_start(&findings), "{}", report.join("\n"));
        for subject in ["toolchain", "PostgreSQL", "Redis", "port 8080", "leftovers"] {
            assert!(
                findings.iter().any(|finding| finding.subject == subject),
                "{subject}"
            );
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(
            rust_version("cargo 1.95.0 (f2d3ce0bd 2026-03-21)"),
            Some((1, 95))
        );
        assert!(rust_version("cargo 1.100.0-nightly").unwrap() > NEEDED_RUST);
        assert_eq!(rust_version("?"), None);
    }
}
