//! The engine as one object that every kernel's module loader takes. It depends on no kernel's interfaces: the glue does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{object, stack};
use crate::{process, workspace};

/// The static model without PLT leaves only relocations that module loaders know; returns and indirect calls
/// go through the kernel's own thunks, as its mitigations want; the last two are for CPUs that check where
/// indirect branches land.
const FLAGS: &str = "-Crelocation-model=static -Ccode-model=kernel -Zplt=yes \
                     -Zfunction-return=thunk-extern -Zretpoline-external-thunk=yes \
                     -Zcf-protection=branch -Cjump-tables=no -Zemit-stack-sizes";

/// Builds the object, checks it, and returns where it is.
pub fn build() -> Result<PathBuf> {
    let target = workspace::target().join("kmod/engine");
    let mut cargo = process::cargo([
        "rustc",
        "--quiet",
        "--package=remap-kmod",
        "--lib",
        "--crate-type=staticlib",
        "--profile=kernel",
        "--target=x86_64-unknown-none",
        "-Zbuild-std=core",
    ])?;
    // The standard library is built anew, which a stable compiler does when it is told that it may.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", flags()?);
    process::run(&mut cargo)?;
    let archive = target.join("x86_64-unknown-none/kernel/libremap_kmod.a");
    let whole = target.join("remap_core.with-stack-sizes.o");
    let bytes = object::member(&archive, "remap_kmod").context("the engine's archive")?;
    object::check(&bytes)?;
    stack::check(&bytes)?;
    fs::write(&whole, bytes)?;
    let shipped = workspace::target().join("kmod/remap_core.o_shipped");
    strip(&whole, &shipped)?;
    Ok(shipped)
}

/// The flags, and paths of this machine taken out of what a panic would print.
fn flags() -> Result<String> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| home + "/.cargo"))?;
    let root = workspace::root();
    let remap =
        [(root.to_string_lossy().into_owned(), "dm-remap"), (home, "cargo"), (sysroot.trim().into(), "rust")]
            .map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
    Ok(format!("{FLAGS} {}", remap.join(" ")))
}

/// The sizes of stack frames have been looked at; no linker of modules expects them.
fn strip(from: &Path, to: &Path) -> Result<()> {
    process::run(
        Command::new("objcopy")
            .args(["--remove-section=.stack_sizes", "--remove-section=.rela.stack_sizes"])
            .args(["--remove-section=.comment", "--strip-debug"])
            .args([from, to]),
    )
}
