//! Finds installed programs: on the PATH and where packages put server programs that they
//! keep off it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

/// Folders of packages whose server programs are not on the PATH.
const HOMEBREW: [&str; 2] = ["/opt/homebrew", "/usr/local"];

/// An installed server program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub program: PathBuf,
    pub version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A program by name on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| is_executable(program))
}

/// Folders that may hold Postgres' server programs, the likeliest first.
pub fn postgres_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(program) = on_path("postgres")
        && let Some(folder) = program.parent()
    {
        folders.push(folder.to_path_buf());
    }
    folders.extend(newest_first(matching("/usr/lib/postgresql", "", "bin")));
    folders.extend(newest_first(matching("/usr", "pgsql-", "bin")));
    for prefix in HOMEBREW {
        folders.extend(newest_first(matching(
            &format!("{prefix}/opt"),
            "postgresql",
            "bin",
        )));
    }
    folders.extend(newest_first(matching(
        "/Applications/Postgres.app/Contents/Versions",
        "",
        "bin",
    )));
    if let Some(config) = on_path("pg_config")
        && let Ok(output) = Command::new(config).arg("--bindir").output()
    {
        folders.push(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        ));
    }
    folders
}

/// Redis or its fork Valkey.
pub fn redis_servers() -> Vec<PathBuf> {
    let names = ["redis-server", "valkey-server"];
    let mut found: Vec<_> = names.into_iter().filter_map(on_path).collect();
    for name in names {
        for folder in [
            "/usr/bin",
            "/usr/sbin",
            "/opt/homebrew/bin",
            "/usr/local/bin",
        ] {
            let program = Path::new(folder).join(name);
            if is_executable(&program) && !found.contains(&program) {
                found.push(program);
            }
        }
    }
    found
}

/// What the program answers to `--version`.
pub fn version_of(program: &Path) -> anyhow::Result<Version> {
    let output = Command::new(program)
        .arg("--version")
        .current_dir("/")
        .output()
        .with_context(|| format!("cannot run {} --version", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text).with_context(|| {
        format!(
            "{} --version says no version: `{}`",
            program.display(),
            text.trim()
        )
    })
}

/// The first number of the text, with what follows its dot: `postgres (PostgreSQL) 15.14`,
/// `Redis server v=7.0.15 sha=…`, `psql 17beta1`.
fn parse_version(text: &str) -> Option<Version> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text[start..].split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = text[start..]
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .strip_prefix('.')
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    Some(Version { major, minor })
}

pub(crate) fn is_executable(program: &Path) -> bool {
    program
        .metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// `parent/<prefix>*/child`, where it exists.
fn matching(parent: &str, prefix: &str, child: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(child))
        .filter(|folder| folder.is_dir())
        .collect()
}

/// By the number in the name, so that 15 comes before 9.
fn newest_first(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    folders.sort_by_key(|folder| {
        let version = folder
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| parse_version(&name.to_string_lossy()));
        std::cmp::Reverse(version)
    });
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_servers_say() {
        let parse = |text| parse_version(text).map(|version| (version.major, version.minor));
        assert_eq!(
            parse("postgres (PostgreSQL) 15.14 (Debian 15.14-0)"),
            Some((15, 14))
        );
        assert_eq!(parse("postgres (PostgreSQL) 18beta1"), Some((18, 0)));
        assert_eq!(
            parse("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1"),
            Some((7, 0))
        );
        assert_eq!(parse("Valkey server v=8.1.3 sha=0"), Some((8, 1)));
        assert_eq!(parse("no number"), None);
    }

    #[test]
    fn the_newest_version_is_tried_first() {
        let folders = ["/x/9.6/bin", "/x/15/bin", "/x/14/bin"]
            .map(PathBuf::from)
            .to_vec();
        let sorted = newest_first(folders);
        assert_eq!(
            sorted,
            ["/x/15/bin", "/x/14/bin", "/x/9.6/bin"].map(PathBuf::from)
        );
    }
}
