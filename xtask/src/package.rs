//! `cargo xtask package`: the Debian packages, made of what is in `packaging/` and what is built here.

mod command;
mod deb;
mod dkms;

use std::path::PathBuf;

use anyhow::Result;

use crate::workspace;

#[derive(clap::Args)]
pub struct Args {
    /// The folder to put them into; `package` in the build folder where none is named.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| workspace::target().join("package"));
    for package in build(&out)? {
        println!("{}", package.display());
    }
    Ok(())
}

/// Builds both packages into `out`, the command's first.
pub fn build(out: &std::path::Path) -> Result<[PathBuf; 2]> {
    Ok([command::build(out)?, dkms::build(out)?])
}
