//! `cargo xtask kmod`: builds the kernel module, and checks what of it no compiler checks.

mod engine;
mod module;
mod object;
mod stack;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::kernels::{self, Kernel, Series};

#[derive(clap::Args)]
pub struct Args {
    /// For which kernels; for 6.1 and 6.12 where none is named.
    #[arg(long, value_enum)]
    kernel: Vec<Series>,
}

pub fn run(args: &Args) -> Result<()> {
    let both = [Series::V6_1, Series::V6_12];
    let wanted = if args.kernel.is_empty() { &both[..] } else { &args.kernel };
    for series in wanted {
        let module = build(&kernels::prepare(*series)?)?;
        println!("{}", module.display());
    }
    Ok(())
}

/// Builds the module for `kernel` and returns where it is. A warning of any tool is an error.
pub fn build(kernel: &Kernel) -> Result<PathBuf> {
    module::build(kernel, &build_engine()?)
}

/// Builds the engine's object, which goes into the module of any kernel, and returns where it is.
pub fn build_engine() -> Result<PathBuf> {
    engine::build()
}

/// Whether a file of `kmod/` is one that the kernel's own build reads.
pub fn is_source(path: &Path) -> bool {
    let is_c = path.extension().is_some_and(|kind| kind == "c" || kind == "h");
    is_c || path.file_name().is_some_and(|name| name == "Kbuild")
}
