//! `cargo xtask package`: the Debian packages, made of what is in `packaging/` and what is built here.

mod command;
mod deb;
mod dkms;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

pub use deb::VERSION;

use crate::{process, workspace};

#[derive(clap::Args)]
pub struct Args {
    /// The folder to put them into; `package` in the build folder where none is named.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| workspace::target().join("package"));
    for package in build(VERSION, &out)? {
        println!("{}", package.display());
    }
    Ok(())
}

/// Builds both packages into `out`, the command's first. An error of Debian's own checker is one.
pub fn build(version: &str, out: &Path) -> Result<[PathBuf; 2]> {
    let packages = [command::build(version, out)?, dkms::build(version, out)?];
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error"]).args(&packages);
    process::run(&mut lintian)?;
    Ok(packages)
}
