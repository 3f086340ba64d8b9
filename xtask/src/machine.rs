//! `cargo xtask machine`: a whole Debian on disks of its own. The packages are installed on it, its root file system lies
//! on a set, it is booted several times while sectors go bad, and the packages are purged.
//!
//! Guests of `cargo xtask lab` have this machine's own root; here, nothing is this machine's.

mod disks;
mod guest;
mod root;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::kernels::{self, Series};
use crate::package::{self, VERSION};
use crate::process::cargo;
use crate::{process, setup, workspace};
use disks::Disks;
use root::Root;

#[derive(clap::Args)]
pub struct Args {
    /// How many times it is booted; before each, more sectors have gone bad.
    #[arg(long, default_value_t = 3)]
    boots: u32,
}

pub fn run(args: &Args) -> Result<()> {
    setup::run(&setup::Args { if_needed: true })?;
    // Programs of another root can be run by nobody else.
    let id = process::output(std::process::Command::new("id").arg("-u"))?;
    ensure!(
        id.trim() == "0",
        "programs are run in another root, which only root may: sudo cargo xtask machine"
    );
    let home = workspace::target().join("machine");
    // Debian's own kernel of its stable release: the packages bring the module for it.
    let kernel = kernels::prepare(Series::V6_1)?;
    let root = Root::copy(&kernel, &home.join("root"))?;
    for program in ["rustc", "cargo"] {
        ensure!(!root.has_program(program)?, "the new root has {program}, and is to have none");
    }
    let out = home.join("packages");
    // What sorts before a version of the same number.
    let earlier = package::build(&format!("{VERSION}~earlier"), &out)?;
    let packages = package::build(VERSION, &out)?;
    let before = root.names()?;
    root.install(&earlier)?;
    root.install(&packages)?;
    let modules = root.modules_built()?;
    ensure!(modules == [VERSION], "after the upgrade, DKMS has {modules:?}, not only {VERSION}");
    root.renew_initramfs()?;
    println!("ok the packages are installed and upgraded, and the module is built without Rust");

    process::run(&mut cargo(["build", "--release", "-p", "dm-remap", "--bin", "dm-remap"])?)?;
    let disks = Disks::make(&home.join("disks"), &root)?;
    let mut failed = 0;
    for boot in 1..=args.boots {
        println!("-- boot {boot} of {}", args.boots);
        let said = guest::boot(&disks, &root, boot)?;
        failed += judge(&said, boot)?;
    }
    root.purge()?;
    let left: Vec<PathBuf> = root.names()?.difference(&before).cloned().collect();
    let left: Vec<&PathBuf> = left.iter().filter(|name| name.to_string_lossy().contains("remap")).collect();
    ensure!(left.is_empty(), "the purge leaves behind {left:?}");
    println!("ok a purge leaves nothing behind");
    ensure!(
        failed == 0,
        "{failed} checks failed; what the machine said is in {}",
        home.join("disks").display()
    );
    Ok(())
}

/// Counts what failed among what the machine's own script found.
fn judge(said: &str, boot: u32) -> Result<usize> {
    let lines = || said.lines().map(str::trim_end);
    let checks = lines().filter(|line| line.starts_with("ok ") || line.starts_with("FAILED "));
    checks.clone().for_each(|line| println!("  {line}"));
    let moved = lines().find_map(|line| line.strip_prefix("moved ")).with_context(|| {
        let last: Vec<&str> = lines().collect();
        format!(
            "the machine did not come up; its last words:\n{}",
            last[last.len().saturating_sub(20)..].join("\n")
        )
    })?;
    if !lines().any(|line| line == "machine: done") {
        bail!("the machine did not come to its end");
    }
    println!("  {moved} sectors have moved after boot {boot}");
    let too_few = u32::from(moved.parse::<u32>().unwrap_or(0) == 0);
    Ok(checks.filter(|line| line.starts_with("FAILED ")).count() + too_few as usize)
}
