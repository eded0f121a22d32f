//! What a running `cargo shop up` tells other commands: a file that names the process and
//! its addresses. A file of a process that is gone counts for nothing.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::pid::ProcessId;
use crate::run_folder::write_private;

/// Names the file, if it shall lie elsewhere.
pub const STATE_FILE: &str = "SPANTREE_STATE_FILE";

/// A stack that runs, as other programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningStack {
    #[serde(flatten)]
    runner: ProcessId,
    pub orders_url: String,
    pub inventory_url: String,
    pub processor_url: String,
    /// Tempo's read API.
    pub tempo_url: String,
    /// Where spans go, OTLP over gRPC.
    pub otlp_url: String,
    pub database_url: String,
    pub redis_url: String,
    pub tenants: Vec<RunningTenant>,
    /// The socket that takes commands for single services, if one could be opened.
    #[serde(default)]
    pub control: Option<PathBuf>,
}

/// A tenant of a running stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTenant {
    pub tenant_id: String,
    pub api_key: String,
    pub large: bool,
}

impl RunningStack {
    pub(crate) fn new(addresses: Addresses) -> Self {
        let Addresses {
            orders_url,
            inventory_url,
            processor_url,
            tempo_url,
            otlp_url,
            database_url,
            redis_url,
            tenants,
        } = addresses;
        Self {
            runner: ProcessId::own(),
            orders_url,
            inventory_url,
            processor_url,
            tempo_url,
            otlp_url,
            database_url,
            redis_url,
            tenants,
            control: None,
        }
    }

    /// The process that runs it.
    pub fn pid(&self) -> u32 {
        self.runner.pid
    }

    /// The key of one tenant.
    pub fn api_key(&self, tenant: &str) -> Option<&str> {
        self.tenants
            .iter()
            .find(|known| known.tenant_id == tenant)
            .map(|known| known.api_key.as_str())
    }
}

/// Everything but the process.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) orders_url: String,
    pub(crate) inventory_url: String,
    pub(crate) processor_url: String,
    pub(crate) tempo_url: String,
    pub(crate) otlp_url: String,
    pub(crate) database_url: String,
    pub(crate) redis_url: String,
    pub(crate) tenants: Vec<RunningTenant>,
}

/// The stack that runs on this machine for this user, if one does.
pub fn find() -> Option<RunningStack> {
    find_in(&path())
}

/// Tells other commands of this stack until the answer is dropped.
pub fn publish(stack: &RunningStack) -> anyhow::Result<Published> {
    publish_in(&path(), stack)
}

/// Removes the file when dropped.
#[derive(Debug)]
#[must_use = "other commands find the stack only while this is held"]
pub struct Published {
    path: PathBuf,
    stack: RunningStack,
}

impl Drop for Published {
    fn drop(&mut self) {
        // A second `up` may have taken over the file; its own is not ours to remove.
        if read(&self.path).is_some_and(|stack| stack.runner == self.stack.runner) {
            let _ = std::fs::remove_file(&self.path);
            // The folder that was made for it, unless somebody put something else there.
            if let Some(folder) = self.path.parent()
                && folder.ends_with(folder_name())
            {
                let _ = std::fs::remove_dir(folder);
            }
        }
    }
}

/// `$XDG_RUNTIME_DIR/spantree-UID/up.json`, or in the temporary folder.
pub fn path() -> PathBuf {
    if let Some(file) = std::env::var_os(STATE_FILE).filter(|file| !file.is_empty()) {
        return PathBuf::from(file);
    }
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_dir())
        .unwrap_or_else(std::env::temp_dir)
        .join(folder_name())
        .join("up.json")
}

fn folder_name() -> String {
    format!("spantree-{}", geteuid())
}

fn find_in(path: &Path) -> Option<RunningStack> {
    // Somebody else's file could send our keys and cards to their address.
    let own = path.metadata().ok()?.uid() == geteuid().as_raw();
    read(path).filter(|stack| own && stack.runner.is_alive())
}

fn read(path: &Path) -> Option<RunningStack> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn publish_in(path: &Path, stack: &RunningStack) -> anyhow::Result<Published> {
    if let Some(other) = find_in(path)
        && other.runner != stack.runner
    {
        bail!(
            "a stack runs already, as process {}: its shop is at {}; stop it with `kill {}`",
            other.pid(),
            other.orders_url,
            other.pid()
        );
    }
    let folder = path.parent().context("the state file has no folder")?;
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot make {}", folder.display()));
        }
    }
    if folder.metadata()?.uid() != geteuid().as_raw() {
        bail!(
            "{} belongs to somebody else: set XDG_RUNTIME_DIR to a folder of your own",
            folder.display()
        );
    }
    // Written beside and renamed: a reader sees the old file or the new one, never a part.
    let draft = path.with_extension(format!("draft-{}", stack.pid()));
    let _ = std::fs::remove_file(&draft);
    write_private(&draft, &serde_json::to_string_pretty(stack)?)
        .and_then(|()| std::fs::rename(&draft, path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Published {
        path: path.to_path_buf(),
        stack: stack.clone(),
    })
}

#[cfg(test)]
mod tests;
