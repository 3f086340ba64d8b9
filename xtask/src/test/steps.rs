//! The steps of a test run, in their order: seconds first, minutes last.

use std::env;

use anyhow::Result;

use super::{Tier, deny, fuzz, is_root};
use crate::process::{self, cargo};
use crate::{lab, mutants, tidy, workspace};

pub struct Step {
    pub title: &'static str,
    pub run: fn(Tier) -> Result<()>,
    /// The tier from which on the step is run.
    from: Tier,
}

const fn fast(title: &'static str, run: fn(Tier) -> Result<()>) -> Step {
    Step { title, run, from: Tier::Fast }
}

const fn full(title: &'static str, run: fn(Tier) -> Result<()>) -> Step {
    Step { title, run, from: Tier::Full }
}

const STEPS: [Step; 12] = [
    fast("format", format),
    fast("tidy", |_| tidy::run()),
    fast("licences and sources of dependencies", |_| deny::run()),
    fast("lints", lints),
    fast("engine builds without an operating system", no_os),
    fast("unit and integration tests", tests),
    fast("documentation tests", doc_tests),
    fast("interleavings of the map's readers and writer", loom),
    fast("simulation", simulation),
    full("planted bugs are found", |_| mutants::run(&mutants::Args::default())),
    full("fuzzing", |_| fuzz::run()),
    full("the lab: scenarios under real kernels", |_| {
        lab::Args::of_every_run().iter().try_for_each(lab::run)
    }),
];

/// The steps of a tier.
pub fn of(tier: Tier) -> Vec<Step> {
    STEPS.into_iter().filter(|step| tier == Tier::Full || step.from == Tier::Fast).collect()
}

fn format(_: Tier) -> Result<()> {
    process::run(&mut cargo(["fmt", "--all", "--", "--check"])?)
}

fn lints(_: Tier) -> Result<()> {
    process::run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?)
}

fn no_os(_: Tier) -> Result<()> {
    let mut cargo = cargo(["check", "-p", "remap-core", "--target", "x86_64-unknown-none"])?;
    // Building the standard library's parts from source is not a stable feature; only this build uses it.
    cargo.arg("-Zbuild-std=core").env("RUSTC_BOOTSTRAP", "1");
    process::run(cargo.env("CARGO_TARGET_DIR", workspace::target().join("no-os")))
}

fn tests(_: Tier) -> Result<()> {
    let root = is_root();
    if !root {
        println!("not root: tests named root_… are left out");
    }
    if process::find("cargo-nextest").is_some() {
        let mut cargo = cargo(["nextest", "run", "--workspace", "--no-fail-fast"])?;
        if !root {
            cargo.args(["-E", "not test(/(^|::)root_/)"]);
        }
        return process::run(&mut cargo);
    }
    let mut cargo = cargo(["test", "--workspace", "--all-targets", "--no-fail-fast"])?;
    if !root {
        cargo.args(["--", "--skip", "root_"]);
    }
    process::run(&mut cargo)
}

fn doc_tests(_: Tier) -> Result<()> {
    process::run(&mut cargo(["test", "--workspace", "--doc"])?)
}

fn loom(_: Tier) -> Result<()> {
    let mut flags = env::var_os("RUSTFLAGS").unwrap_or_default();
    flags.push(" --cfg loom");
    let mut cargo = cargo(["test", "-p", "remap-core", "--release", "--test", "loom_map"])?;
    // Other flags rebuild everything; a folder of its own keeps the usual build.
    process::run(cargo.env("RUSTFLAGS", flags).env("CARGO_TARGET_DIR", workspace::target().join("loom")))
}

fn simulation(tier: Tier) -> Result<()> {
    let (ops, power_cuts) = match tier {
        Tier::Fast => ("250000", "1000"),
        Tier::Full => ("5000000", "20000"),
    };
    let mut cargo = cargo(["run", "--profile", "sim", "-p", "remap-sim", "--", "soak"])?;
    process::run(cargo.args(["--ops", ops, "--min-power-cuts", power_cuts]))
}
