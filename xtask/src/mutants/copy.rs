//! Keeps a folder equal to the sources, touching only what differs so that builds there stay warm.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Makes `to` hold exactly `files`, which are relative to `from`.
pub fn sync(from: &Path, files: &[PathBuf], to: &Path) -> Result<()> {
    let wanted: HashSet<&Path> = files.iter().map(PathBuf::as_path).collect();
    remove_others(to, to, &wanted)?;
    for file in files {
        let new = fs::read(from.join(file)).with_context(|| format!("cannot copy {}", file.display()))?;
        let copy = to.join(file);
        if fs::read(&copy).is_ok_and(|old| old == new) {
            continue;
        }
        fs::create_dir_all(copy.parent().context("a file has a parent")?)?;
        fs::write(&copy, new)?;
    }
    Ok(())
}

fn remove_others(root: &Path, folder: &Path, wanted: &HashSet<&Path>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            remove_others(root, &path, wanted)?;
        } else if !wanted.contains(path.strip_prefix(root)?) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
