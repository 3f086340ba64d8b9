//! The root file system of another Debian, as a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::kernels::Kernel;
use crate::setup::debian;
use crate::{process, workspace};

/// What it has, besides the kernel and its headers: enough to boot and to build a module.
const PACKAGES: [&str; 9] =
    ["systemd-sysv", "udev", "initramfs-tools", "dkms", "gcc", "make", "dmsetup", "e2fsprogs", "kmod"];
/// Folders that programs expect to be mounted.
const MOUNTS: &str = "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";

/// See the module.
pub struct Root {
    folder: PathBuf,
    version: String,
}

impl Root {
    /// A new copy of one that is made once and kept.
    pub fn copy(kernel: &Kernel, folder: &Path) -> Result<Self> {
        let kept = workspace::cache()?.join("lab/machine").join(&kernel.version);
        if !kept.is_dir() {
            println!("a Debian for {}: fetching and installing, which takes a while", kernel.version);
            let partial = kept.with_extension(format!("partial-{}", std::process::id()));
            let made = make(kernel, &partial);
            if made.is_err() && partial.is_dir() {
                fs::remove_dir_all(&partial)?;
            }
            made?;
            fs::rename(&partial, &kept)?;
        }
        if folder.is_dir() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder.parent().context("a folder has a parent")?)?;
        process::run(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(&kept).arg(folder))?;
        Ok(Self { folder: folder.to_owned(), version: kernel.version.clone() })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The kernel, and its initramfs.
    pub fn boot_files(&self) -> [PathBuf; 2] {
        ["vmlinuz", "initrd.img"].map(|name| self.folder.join(format!("boot/{name}-{}", self.version)))
    }

    /// Runs a program in it and returns what it prints.
    fn run(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", MOUNTS]).arg(&self.folder).args(words);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive");
        process::output(&mut command)
    }

    pub fn has_program(&self, name: &str) -> Result<bool> {
        let found = self.run(&["sh", "-c", &format!("command -v {name} || true")])?;
        Ok(!found.trim().is_empty())
    }

    pub fn install(&self, packages: &[PathBuf]) -> Result<()> {
        let mut inside = Vec::new();
        for package in packages {
            let name = package.file_name().context("a package is a file")?.to_string_lossy().into_owned();
            fs::copy(package, self.folder.join("root").join(&name))?;
            inside.push(format!("/root/{name}"));
        }
        let words: Vec<&str> =
            ["dpkg", "--install"].into_iter().chain(inside.iter().map(String::as_str)).collect();
        println!("$ {}", words.join(" "));
        self.run(&words)?;
        for name in inside {
            fs::remove_file(self.folder.join(name.trim_start_matches('/')))?;
        }
        Ok(())
    }

    /// The versions of the module that DKMS has built and installed for the kernel.
    pub fn modules_built(&self) -> Result<Vec<String>> {
        let status = self.run(&["dkms", "status", "-m", "dm-remap"])?;
        let installed =
            status.lines().filter(|line| line.contains(&self.version) && line.ends_with("installed"));
        let version = |line: &str| Some(line.strip_prefix("dm-remap/")?.split(',').next()?.to_owned());
        Ok(installed.filter_map(version).collect())
    }

    pub fn renew_initramfs(&self) -> Result<()> {
        self.run(&["update-initramfs", "-u"]).map(drop)
    }

    pub fn purge(&self) -> Result<()> {
        self.run(&["dpkg", "--purge", "dm-remap", "dm-remap-dkms"]).map(drop)
    }

    /// All its files, from its root on.
    pub fn names(&self) -> Result<BTreeSet<PathBuf>> {
        let mut find = Command::new("find");
        let all =
            process::output(find.args([".", "-not", "-path", "./var/log/*"]).current_dir(&self.folder))?;
        Ok(all.lines().map(PathBuf::from).collect())
    }
}

fn make(kernel: &Kernel, folder: &Path) -> Result<()> {
    let source = debian::own_source()?;
    let version = &kernel.version;
    let packages = PACKAGES.map(str::to_owned).into_iter();
    let all: Vec<String> =
        packages.chain([format!("linux-image-{version}"), format!("linux-headers-{version}")]).collect();
    fs::create_dir_all(folder.parent().context("a folder has a parent")?)?;
    let mut make = Command::new("mmdebstrap");
    make.args(["--variant=minbase", "--quiet", "--aptopt=Apt::Install-Recommends \"false\""]);
    make.arg(format!("--include={}", all.join(","))).arg(&source.suite).arg(folder).arg(&source.uri);
    process::run(&mut make)
}
