//! The sources of the standard library, which the build without an operating system compiles.
//!
//! rustup has them; where it cannot be reached, Debian packages the same sources for its own compiler, and
//! they fit any compiler of the same version.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::debian::{self, Source};
use crate::{process, workspace};

/// Where Debian's newest compilers are.
const SUITE: &str = "trixie-backports";

pub fn is_there() -> Result<bool> {
    Ok(has_library(&place()?))
}

pub fn install() -> Result<()> {
    let place = place()?;
    if place.is_symlink() {
        // Left from a cache that is gone; rustup would stumble over it.
        fs::remove_file(&place)?;
    }
    if process::run(Command::new("rustup").args(["component", "add", "rust-src"])).is_ok() && is_there()? {
        return Ok(());
    }
    println!("rustup has no sources to give; Debian's package is tried");
    let version = compiler_version()?;
    let unpacked = workspace::cache()?.join("rust-src").join(&version);
    if !has_library(&sources_in(&unpacked, &version)) {
        download(&version, &unpacked)?;
    }
    link(&sources_in(&unpacked, &version), &place)
}

/// Where the compiler looks for the sources.
fn place() -> Result<PathBuf> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib/src/rust"))
}

fn has_library(sources: &Path) -> bool {
    sources.join("library/core/src/lib.rs").is_file()
}

/// Where Debian's package keeps the sources, when unpacked into `unpacked`.
fn sources_in(unpacked: &Path, version: &str) -> PathBuf {
    unpacked.join(format!("usr/src/rustc-{version}"))
}

/// The version of the compiler in use, as `1.95.0`.
fn compiler_version() -> Result<String> {
    let text = process::output(Command::new("rustc").arg("--version"))?;
    Ok(text.split(' ').nth(1).context("rustc prints no version")?.to_owned())
}

fn download(version: &str, unpacked: &Path) -> Result<()> {
    let source = Source { suite: SUITE.into(), ..debian::own_source()? };
    let apt = debian::PrivateApt::new(&workspace::cache()?.join("apt"), &source)?;
    apt.update()?;
    let package = apt.versions("rust-src")?.into_iter().find(|found| is_of(found, version));
    let Some(package) = package else {
        bail!(
            "neither rustup nor Debian's {SUITE} has the sources of rustc {version}; get the component rust-src"
        );
    };
    let archive = apt.download("rust-src", &package)?;
    fs::create_dir_all(unpacked)?;
    process::run(Command::new("dpkg").arg("-x").arg(&archive).arg(unpacked))?;
    // 45 MB that nobody reads again.
    fs::remove_file(archive)?;
    Ok(())
}

/// Whether a Debian version, as `1.95.0+dfsg1-2~bpo13+1`, is of the upstream `version`.
fn is_of(debian_version: &str, version: &str) -> bool {
    debian_version
        .strip_prefix(version)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

fn link(from: &Path, to: &Path) -> Result<()> {
    if !has_library(from) {
        bail!("no library in {}", from.display());
    }
    fs::create_dir_all(to.parent().context("the place has a parent")?)?;
    symlink(from, to).with_context(|| format!("cannot link {} to {}", to.display(), from.display()))
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn a_debian_version_belongs_to_its_upstream_version_only() {
        assert!(is_of("1.95.0+dfsg1-2~bpo13+1", "1.95.0"));
        assert!(is_of("1.95.0-1", "1.95.0"));
        assert!(!is_of("1.95.01-1", "1.95.0"));
        assert!(!is_of("1.96.1+dfsg1-2~bpo13+1", "1.95.0"));
    }
}
