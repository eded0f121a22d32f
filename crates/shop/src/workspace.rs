//! Where the workspace is, where its binaries are, and how they are built.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::programs::is_executable;

/// Names the folder with the service binaries, for tests and for installed copies.
pub const BIN_DIR: &str = "SPANTREE_BIN_DIR";

/// The folder with the root `Cargo.toml`.
pub fn root() -> PathBuf {
    // At run time cargo says it; the path of the build serves for everything else.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.join("../../Cargo.lock").exists())
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    let root = manifest.join("../..");
    root.canonicalize().unwrap_or(root)
}

/// Where cargo puts the binaries of the `dev` profile.
pub fn target_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .filter(|folder| !folder.is_empty())
        .map_or_else(|| PathBuf::from("target"), PathBuf::from);
    root().join(target).join("debug")
}

/// The cargo that started this program, or the one on the PATH.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Finds a binary of the workspace: in the folder that is named by variable, next to this
/// program, or where cargo puts it.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let named = std::env::var_os(BIN_DIR).filter(|folder| !folder.is_empty());
    let folders = match named {
        Some(folder) => vec![PathBuf::from(folder)],
        None => default_folders()?,
    };
    for folder in &folders {
        let program = folder.join(name);
        if is_executable(&program) {
            return Ok(program);
        }
    }
    let places: Vec<_> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    bail!(
        "the binary `{name}` is not in {}: run `cargo build --workspace --bins`",
        places.join(" or ")
    )
}

/// A test binary lies one folder deeper, in `deps`.
fn default_folders() -> anyhow::Result<Vec<PathBuf>> {
    let own = std::env::current_exe().context("this program does not know where it lies")?;
    let mut folders: Vec<PathBuf> = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(Path::to_path_buf)
        .collect();
    let target = target_folder();
    if !folders.contains(&target) {
        folders.push(target);
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_folder_of_the_lock_file() {
        assert!(root().join("Cargo.lock").exists());
        assert!(root().join("crates/shop").exists());
    }

    #[test]
    fn a_binary_that_was_not_built_is_named_with_the_command_that_builds_it() {
        let error = binary("no-such-service").unwrap_err().to_string();
        assert!(error.contains("no-such-service"));
        assert!(error.contains("cargo build --workspace --bins"));
    }
}
