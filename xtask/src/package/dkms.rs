//! `dm-remap-dkms`: the kernel module's C, and its engine as an object that depends on no kernel.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::deb::{Package, packaging};
use crate::{kmod, workspace};

pub fn build(version: &str, out: &Path) -> Result<PathBuf> {
    let package = Package::new("dm-remap-dkms", version, out)?;
    let home = format!("usr/src/dm-remap-{version}");
    for entry in fs::read_dir(workspace::root().join("kmod"))? {
        let path = entry?.path();
        if kmod::is_source(&path) {
            let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            package.write(&format!("{home}/{name}"), &fs::read(&path)?)?;
        }
    }
    package.write(&format!("{home}/remap_core.o_shipped"), &fs::read(kmod::build_engine()?)?)?;
    package.text(&packaging("dkms.conf"), &format!("{home}/dkms.conf"))?;
    package
        .text(&packaging("dm-remap-dkms.lintian-overrides"), "usr/share/lintian/overrides/dm-remap-dkms")?;
    package.text(
        &workspace::root().join("docs/kernel-target.md"),
        "usr/share/doc/dm-remap-dkms/kernel-target.md",
    )?;
    package.compress("usr/share/doc/dm-remap-dkms/kernel-target.md")?;
    package.finish(out, "")
}
