//! The foreign programs that tests run, from the system's packages.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;

/// A Debian package, and the programs of it that are used. Programs are what is looked for, so that another
/// system that has them needs no Debian packages.
const PACKAGES: [(&str, &[&str]); 27] = [
    ("fio", &["fio"]),
    ("libnbd-bin", &["nbdinfo", "nbdcopy", "nbdfuse"]),
    ("nbdkit", &["nbdkit"]),
    ("qemu-utils", &["qemu-img", "qemu-io", "qemu-nbd"]),
    ("gddrescue", &["ddrescuelog"]),
    ("fuse3", &["fusermount3"]),
    ("e2fsprogs", &["mkfs.ext4", "e2fsck"]),
    ("xfsprogs", &["mkfs.xfs", "xfs_repair"]),
    ("python3-minimal", &["python3"]),
    // libFuzzer is C++ that cargo-fuzz compiles.
    ("g++", &["c++"]),
    // What follows is for the lab: its guests, and what runs in them.
    ("qemu-system-x86", &["qemu-system-x86_64"]),
    ("busybox-static", &["busybox"]),
    ("kmod", &["depmod", "insmod", "modprobe"]),
    // Tells `vng` the version of a kernel.
    ("file", &["file"]),
    // Out-of-tree modules are built with what Debian's kernels were built with.
    ("gcc-12", &["gcc-12"]),
    ("make", &["make"]),
    // Looks over the module's C as kernel developers do.
    ("sparse", &["sparse"]),
    ("dmsetup", &["dmsetup"]),
    ("lvm2", &["lvm"]),
    ("mdadm", &["mdadm"]),
    ("cryptsetup-bin", &["cryptsetup"]),
    ("thin-provisioning-tools", &["thin_check"]),
    ("btrfs-progs", &["mkfs.btrfs"]),
    // Scrapes the monitor.
    ("prometheus", &["prometheus"]),
    // Packages, and a machine to install them on.
    ("dpkg-dev", &["dpkg-shlibdeps"]),
    ("lintian", &["lintian"]),
    ("mmdebstrap", &["mmdebstrap"]),
];

pub fn are_there() -> bool {
    missing().is_empty()
}

/// The packages of which a program is not found.
fn missing() -> Vec<&'static str> {
    let lacks = |programs: &[&str]| programs.iter().any(|program| process::find(program).is_none());
    let missing = PACKAGES.iter().filter(|(_, programs)| lacks(programs)).map(|(package, _)| *package);
    missing.chain((!python_makes_environments()).then_some("python3-venv")).collect()
}

/// What Python needs to make virtual environments is a package that has no program.
fn python_makes_environments() -> bool {
    process::succeeds(system_python().args(["-c", "import ensurepip, venv"]))
}

/// The system's `python3`: another one that comes first in `PATH`, say a version manager's, may be gone
/// tomorrow.
pub fn system_python() -> Command {
    let system = Path::new("/usr/bin/python3");
    Command::new(if system.is_file() { system } else { Path::new("python3") })
}

pub fn install() -> Result<()> {
    install_these(&missing())?;
    match missing().as_slice() {
        [] => Ok(()),
        left => bail!("installed, and yet programs are missing of: {}", left.join(" ")),
    }
}

/// Installs `packages`, those that are installed already left as they are.
pub fn install_these(packages: &[&str]) -> Result<()> {
    let is_installed = |package: &&str| process::succeeds(Command::new("dpkg").args(["--status", package]));
    if packages.iter().all(is_installed) {
        return Ok(());
    }
    if process::find("apt-get").is_none() {
        bail!("no apt-get here; install what Debian packages as: {}", packages.join(" "));
    }
    let root = process::output(Command::new("id").arg("-u"))?.trim() == "0";
    if !root && !process::succeeds(Command::new("sudo").args(["-n", "true"])) {
        bail!("not root, and sudo wants a password; run: sudo apt-get install {}", packages.join(" "));
    }
    let apt_get = || {
        let mut command = Command::new(if root { "env" } else { "sudo" });
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]);
        command
    };
    process::run(apt_get().arg("update"))?;
    process::run(apt_get().args(["install", "--no-install-recommends"]).args(packages))
}
