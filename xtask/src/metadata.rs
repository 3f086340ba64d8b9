//! What `cargo metadata` says about the workspace, cut down to the facts that the commands need.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;

use crate::process;

/// The members of the workspace.
#[derive(Deserialize)]
pub struct Metadata {
    /// Every member, none of the foreign packages.
    pub packages: Vec<Package>,
}

/// A member of the workspace.
#[derive(Deserialize)]
pub struct Package {
    pub name: String,
    pub dependencies: Vec<Dependency>,
    pub targets: Vec<Target>,
}

/// One line of a manifest's dependency tables.
#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    /// The folder of a dependency that lies on this disk; `None` for one from a registry.
    pub path: Option<PathBuf>,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub kind: Option<String>,
}

/// Something that cargo builds out of a package.
#[derive(Deserialize)]
pub struct Target {
    pub name: String,
    /// `lib`, `bin`, `bench`, `test` and the like.
    pub kind: Vec<String>,
}

/// Reads the workspace that `root` is the root of.
pub fn read(root: &Path) -> Result<Metadata> {
    let mut cargo = process::cargo(["metadata", "--no-deps", "--format-version", "1"])?;
    Ok(serde_json::from_str(&process::output(cargo.current_dir(root))?)?)
}
