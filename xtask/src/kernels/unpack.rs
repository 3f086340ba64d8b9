//! Turns the packages of a kernel into a folder that can be booted from and built against.
//!
//! The packages expect to lie at fixed places of the system. The few absolute paths in them are pointed into
//! the folder instead.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// The file that names the kernel. Written last: a folder without it is not whole.
pub const VERSION: &str = "VERSION";

/// Unpacks `archives`, which lie in `staging`, into `staging`, made for being renamed to `home`.
pub fn unpack(version: &str, archives: &Path, staging: &Path, home: &Path) -> Result<()> {
    for archive in fs::read_dir(archives)? {
        process::output(Command::new("dpkg").arg("-x").arg(archive?.path()).arg(staging))?;
    }
    fs::remove_dir_all(archives)?;
    let modules = modules(staging, version);
    if !modules.is_dir() {
        // Newer packages lay everything below usr.
        symlink("usr/lib", staging.join("lib"))?;
    }
    relocate_headers(version, staging, home)?;
    let depmod = process::find("depmod").context("depmod is missing; run: cargo xtask setup")?;
    process::output(Command::new(depmod).arg("-b").arg(staging).arg(version))?;
    fs::write(staging.join(VERSION), version)?;
    Ok(())
}

/// The version, the image and the headers in a folder that was unpacked earlier.
pub fn read(folder: &Path) -> Result<(String, PathBuf, PathBuf)> {
    let version = fs::read_to_string(folder.join(VERSION)).context("the kernel is not whole")?;
    let modules = modules(folder, &version);
    let images = [folder.join(format!("boot/vmlinuz-{version}")), modules.join("vmlinuz")];
    let image = images.into_iter().find(|image| image.is_file()).context("the kernel has no image")?;
    let build = headers(folder, &version);
    if !build.is_dir() {
        bail!("the kernel has no headers");
    }
    Ok((version, image, build))
}

fn modules(folder: &Path, version: &str) -> PathBuf {
    folder.join("lib/modules").join(version)
}

/// Where what modules are built against lies.
pub fn headers(folder: &Path, version: &str) -> PathBuf {
    folder.join("usr/src").join(format!("linux-headers-{version}"))
}

fn relocate_headers(version: &str, staging: &Path, home: &Path) -> Result<()> {
    let own = headers(staging, version);
    let makefile = own.join("Makefile");
    let text = fs::read_to_string(&makefile).with_context(|| format!("reading {}", makefile.display()))?;
    let text = text.replace("/usr/src/", &format!("{}/usr/src/", home.display()));
    fs::write(&makefile, text)?;
    // Only there to describe a module's types, which takes a program that few have. Without it that is left
    // out.
    let types = own.join("vmlinux");
    if types.is_file() {
        fs::remove_file(types)?;
    }
    let link = modules(staging, version).join("build");
    if link.is_symlink() {
        fs::remove_file(&link)?;
    }
    symlink(headers(home, version), &link)?;
    Ok(())
}
