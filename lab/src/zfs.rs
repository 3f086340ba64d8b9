//! ZFS, which lies in a folder of its own: its modules, and its programs with their libraries.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::program;

static HOME: OnceLock<PathBuf> = OnceLock::new();

/// Where it lies. To be called once, before any scenario.
pub fn lies_in(home: PathBuf) {
    // A second call would be a second command line.
    let _ = HOME.set(home);
}

/// Loads its modules.
pub fn load() -> Result<()> {
    for module in ["spl.ko", "zfs.ko"] {
        program::run("insmod", [home()?.join(module)])?;
    }
    Ok(())
}

/// Unloads its modules.
pub fn unload() -> Result<()> {
    program::run("rmmod", ["zfs", "spl"]).map(drop)
}

/// Runs `zpool`.
pub fn zpool<const N: usize>(words: [&str; N]) -> Result<String> {
    run("zpool", &words)
}

/// Runs `zfs`.
pub fn zfs<const N: usize>(words: [&str; N]) -> Result<String> {
    run("zfs", &words)
}

fn run(name: &str, words: &[&str]) -> Result<String> {
    let root = home()?.join("root");
    let places = ["sbin", "usr/sbin"].map(|folder| root.join(folder).join(name));
    let file = places.iter().find(|file| file.is_file()).with_context(|| format!("no program {name}"))?;
    let mut command = program::command(&file.to_string_lossy());
    let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
    let libraries = libraries.map(|folder| root.join(folder).display().to_string());
    command.env("LD_LIBRARY_PATH", libraries.join(":")).args(words);
    program::of(&mut command)
}

fn home() -> Result<&'static Path> {
    HOME.get()
        .map(PathBuf::as_path)
        .context("ZFS is not here: cargo xtask lab gives it to scenarios that need it")
}
