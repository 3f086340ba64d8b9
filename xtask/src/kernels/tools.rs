//! The compiler and tools of a newer Debian, in a folder that serves as a root, for kernels whose own build
//! tools do not run on this one.
//!
//! Packages are unpacked and nothing in them is run or configured; that is enough for a compiler.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::setup::debian::{self, PrivateApt, Source};
use crate::workspace;

/// The Debian that the newest kernel is built for.
const SUITE: &str = "trixie";
/// What building a module runs; what these need comes along.
const PACKAGES: [&str; 15] = [
    "base-files",
    "bash",
    "binutils",
    "coreutils",
    "dash",
    "diffutils",
    "dpkg",
    "findutils",
    "gcc-14",
    "grep",
    "libelf1t64",
    "make",
    "mawk",
    "pahole",
    "sed",
];

/// The folder, which is filled first if that was not done yet.
pub fn prepare() -> Result<PathBuf> {
    let home = workspace::cache()?.join("lab/tools").join(SUITE);
    if !home.is_dir() {
        println!("build tools of {SUITE}: fetching");
        fetch(&home).with_context(|| format!("cannot fetch the build tools of {SUITE}"))?;
    }
    Ok(home)
}

/// `make` with this folder as its root. It sees `folders` at the same places as everybody, and nothing else.
pub fn make(root: &Path, folders: &[&Path]) -> Command {
    // Each is made within the root, where it is missing, and shown there for as long as the command lives.
    const SCRIPT: &str = "root=$0; while [ \"$1\" != -- ]; do mkdir -p \"$root$1\" && mount --rbind \"$1\" \"$root$1\" || exit; \
                          shift; done; shift; exec chroot \"$root\" /usr/bin/make \"$@\"";
    let mut make = Command::new("unshare");
    make.args(["--map-root-user", "--mount", "sh", "-c", SCRIPT]).arg(root).args(["/dev", "/proc"]);
    make.args(folders).arg("--");
    make
}

fn fetch(home: &Path) -> Result<()> {
    let source = Source { suite: SUITE.into(), ..debian::own_source()? };
    let apt = PrivateApt::new(&workspace::cache()?.join("lab/apt").join(SUITE), &source)?;
    apt.update()?;
    let staging = home.with_extension(format!("partial-{}", std::process::id()));
    fs::create_dir_all(&staging)?;
    let archives = apt.download_with_dependencies(&PACKAGES)?;
    let result = unpack(&archives, &staging);
    fs::remove_dir_all(archives)?;
    if result.is_err() || home.is_dir() {
        fs::remove_dir_all(&staging)?;
        return result;
    }
    fs::rename(&staging, home).with_context(|| format!("cannot rename to {}", home.display()))
}

fn unpack(archives: &Path, root: &Path) -> Result<()> {
    for archive in fs::read_dir(archives)? {
        let archive = archive?.path();
        if archive.extension().is_some_and(|kind| kind == "deb") {
            process::output(Command::new("dpkg").arg("-x").arg(&archive).arg(root))?;
        }
    }
    // The link that configuring the package would make.
    symlink("mawk", root.join("usr/bin/awk"))?;
    Ok(())
}
