//! The module for one kernel: the glue, compiled against its headers, and the engine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::kernels::Kernel;
use crate::workspace;

/// Builds it in a folder of its own, so that nothing of a build lies in the tree.
pub fn build(kernel: &Kernel, engine: &Path) -> Result<PathBuf> {
    let folder = workspace::target().join("kmod").join(&kernel.version);
    fs::create_dir_all(&folder)?;
    let sources = workspace::root().join("kmod");
    for entry in fs::read_dir(&sources)? {
        let path = entry?.path();
        if super::is_source(&path) {
            let name = path.file_name().context("a file has a name")?;
            copy_changed(&path, &folder.join(name))?;
        }
    }
    copy_changed(engine, &folder.join("remap_core.o_shipped"))?;
    let mut make = kernel.make(&folder);
    make.args(["W=1", "modules"]).arg(concat!("DM_REMAP_VERSION=", env!("CARGO_PKG_VERSION")));
    // With sparse, which the folder that serves as another root has not.
    let checked = if kernel.is_built_with_own_tools() { "C=1" } else { "C=0" };
    make.arg(checked);
    println!("$ make -C … M=… W=1 {checked} modules # {}", kernel.version);
    let output = make.output().context("cannot start make")?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("the module does not build for {}:\n{said}", kernel.version);
    }
    let warnings: Vec<&str> = said.lines().filter(|line| line.to_lowercase().contains("warning")).collect();
    if !warnings.is_empty() {
        // What is compiled already would not be warned of the next time.
        fs::remove_dir_all(&folder)?;
        bail!("warnings for {}:\n{}", kernel.version, warnings.join("\n"));
    }
    Ok(folder.join("dm_remap.ko"))
}

/// Copies what differs, so that make builds only what has to be.
fn copy_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}
