//! ZFS for a kernel: its modules, built from the sources that Debian packages for DKMS, and its programs.
//!
//! Nothing is installed. Building takes some ten minutes on two cores, and is done once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Kernel, Series};
use crate::setup::debian::{self, PrivateApt, Source};
use crate::{process, workspace};

/// Where Debian's newest ZFS for the kernels of the lab is.
const SUITE: &str = "bookworm-backports";
/// Its licence keeps it out of `main`.
const COMPONENTS: &str = "main contrib";
const PACKAGES: [&str; 6] =
    ["zfs-dkms", "zfsutils-linux", "libzfs6linux", "libzpool6linux", "libnvpair3linux", "libuutil3linux"];

/// How long a step may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(3600);

/// The file that says that a folder is whole. Written last.
const WHOLE: &str = "WHOLE";

/// The folder of ZFS for `kernel`: `spl.ko`, `zfs.ko`, and programs and libraries below `root`.
pub fn prepare(series: Series, kernel: &Kernel) -> Result<PathBuf> {
    let folder = workspace::cache()?.join("lab/zfs").join(&kernel.version);
    if folder.join(WHOLE).is_file() {
        return Ok(folder);
    }
    println!("ZFS for kernel {series}: fetching and building, which takes a while");
    let staging = folder.with_extension(format!("partial-{}", std::process::id()));
    let made = make(kernel, &staging);
    if made.is_err() {
        println!("what was built is kept in {}", staging.display());
    }
    made.with_context(|| format!("cannot make ZFS for {}", kernel.version))?;
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(&staging, &folder)?;
    Ok(folder)
}

fn make(kernel: &Kernel, staging: &Path) -> Result<()> {
    let source = Source { suite: SUITE.into(), components: COMPONENTS.into(), ..debian::own_source()? };
    let apt = PrivateApt::new(&workspace::cache()?.join("lab/apt/zfs"), &source)?;
    apt.update()?;
    let archives = staging.join("archives");
    apt.download_newest(&PACKAGES.map(str::to_owned), &archives)?;
    let root = staging.join("root");
    for archive in fs::read_dir(&archives)? {
        process::output(Command::new("dpkg").arg("-x").arg(archive?.path()).arg(&root))?;
    }
    fs::remove_dir_all(&archives)?;
    let sources = fs::read_dir(root.join("usr/src"))?.flatten().map(|entry| entry.path());
    let sources: Vec<PathBuf> = sources.collect();
    ensure!(sources.len() == 1, "the package zfs-dkms holds not one tree of sources but {}", sources.len());
    let build = staging.join("build");
    fs::rename(&sources[0], &build)?;
    compile(kernel, &build)?;
    for (folder, module) in [("spl", "spl.ko"), ("", "zfs.ko")] {
        let places = ["module", &format!("module/{folder}")].map(|place| build.join(place).join(module));
        let made = places.iter().find(|file| file.is_file());
        fs::copy(made.with_context(|| format!("no {module} was built"))?, staging.join(module))?;
    }
    fs::remove_dir_all(&build)?;
    fs::write(staging.join(WHOLE), "")?;
    Ok(())
}

fn compile(kernel: &Kernel, build: &Path) -> Result<()> {
    // The headers of one flavour lie beside those of all.
    let own = kernel.build.to_string_lossy();
    let common = own.strip_suffix("-amd64").context("headers of an unknown flavour")?;
    let log = build.join("build.log");
    let mut configure = Command::new("sh");
    configure.arg("configure").arg("--with-config=kernel").current_dir(build);
    configure.arg(format!("--with-linux={common}-common")).arg(format!("--with-linux-obj={own}"));
    let mut make = Command::new("make");
    make.arg("-j2").current_dir(build);
    for (what, command) in [("configure", &mut configure), ("make", &mut make)] {
        println!("$ {what} # ZFS for {}", kernel.version);
        let status = process::logged(command, &log, LONGEST)?;
        let status = status.with_context(|| format!("{what} did not end in time; see {}", log.display()))?;
        ensure!(status.success(), "{what} failed; see {}", log.display());
    }
    Ok(())
}
