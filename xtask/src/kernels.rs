//! Debian's kernels, unpacked into the user's cache: what the lab boots and what modules are built against.
//!
//! Nothing is installed into the system, so no boot loader runs and no root is needed. A kernel is fetched
//! once and kept; remove its folder to get a newer one of the same series.

mod debug;
mod packages;
mod tools;
mod unpack;
pub mod zfs;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::debian::{self, PrivateApt, Source};
use crate::workspace;

/// A series of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Series {
    /// Debian 12's own, the oldest that is supported.
    #[value(name = "6.1")]
    V6_1,
    /// The long-term kernel that most machines of today run.
    #[value(name = "6.12")]
    V6_12,
    /// The newest that Debian builds for a stable release.
    #[value(name = "newest")]
    Newest,
    /// 6.12, built here such that it looks for mistakes: KASAN, lockdep, kmemleak and the like. Takes half an
    /// hour once.
    #[value(name = "debug")]
    Debug,
}

/// A kernel that can be booted and built against.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What `uname -r` prints when it runs.
    pub version: String,
    /// The compressed image, somewhere below the folder that `lib/modules` lies in, where `vng` looks for it.
    pub image: PathBuf,
    /// What modules are built against.
    build: PathBuf,
    /// All of it is below this folder.
    folder: PathBuf,
    /// The root with the tools to build modules with, if this machine's own do not do.
    tools: Option<PathBuf>,
    /// Whether it watches itself, which takes time and memory.
    watches_itself: bool,
}

impl Kernel {
    /// How many times as long as under other kernels everything may take.
    pub fn slowness(&self) -> u32 {
        if self.watches_itself { 8 } else { 1 }
    }

    /// What a guest needs whose scenarios need `mebibytes` MiB under other kernels.
    pub fn memory_mib(&self, mebibytes: u32) -> u32 {
        if self.watches_itself { mebibytes * 2 } else { mebibytes }
    }

    /// A command that builds the module whose `Kbuild` lies in the folder `module`; a target and variables
    /// may be added.
    pub fn make(&self, module: &Path) -> Command {
        let mut make = match &self.tools {
            Some(root) => tools::make(root, &[&self.folder, module]),
            None => Command::new("make"),
        };
        make.arg("-C").arg(&self.build).arg(format!("M={}", module.display()));
        make
    }

    /// Whether modules for it are built with this machine's own programs.
    pub fn is_built_with_own_tools(&self) -> bool {
        self.tools.is_none()
    }
}

impl Series {
    /// The suite of Debian's mirror where its packages are.
    fn suite(self) -> &'static str {
        match self {
            Self::V6_1 => "bookworm",
            Self::V6_12 | Self::Debug => "bookworm-backports",
            Self::Newest => "trixie-backports",
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::Newest => "newest",
            Self::Debug => "debug",
        })
    }
}

/// The kernel of `series`; fetched if it is not there yet.
pub fn prepare(series: Series) -> Result<Kernel> {
    let folder = workspace::cache()?.join("lab/kernels").join(series.to_string());
    if !folder.join(unpack::VERSION).is_file() {
        println!("kernel {series}: not there yet");
        let made = if series == Series::Debug { debug::build(&folder) } else { fetch(series, &folder) };
        made.with_context(|| format!("cannot get kernel {series}"))?;
    }
    let (version, image, build) =
        unpack::read(&folder).with_context(|| format!("remove {} and try again", folder.display()))?;
    let tools = (series == Series::Newest).then(tools::prepare).transpose()?;
    Ok(Kernel { version, image, build, folder, tools, watches_itself: series == Series::Debug })
}

fn fetch(series: Series, folder: &Path) -> Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("the lab's kernels are of x86-64, and this machine is not");
    }
    let suite = series.suite();
    let source = Source { suite: suite.into(), ..debian::own_source()? };
    let apt = PrivateApt::new(&workspace::cache()?.join("lab/apt").join(suite), &source)?;
    apt.update()?;
    let wanted = packages::of_newest_kernel(|package| apt.depends(package))?;

    // Another run may be at the same: each works in a folder of its own, and the first that is whole stays.
    let staging = folder.with_extension(format!("partial-{}", std::process::id()));
    let archives = staging.join("archives");
    let result = apt
        .download_newest(&wanted.names, &archives)
        .and_then(|()| unpack::unpack(&wanted.version, &archives, &staging, folder));
    if result.is_err() || folder.is_dir() {
        fs::remove_dir_all(&staging)?;
        return result;
    }
    fs::rename(&staging, folder)
        .with_context(|| format!("cannot rename {} to {}", staging.display(), folder.display()))
}
