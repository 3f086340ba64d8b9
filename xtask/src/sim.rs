//! `cargo xtask sim`: replays one seed of the simulation.

use anyhow::Result;

use crate::process;

#[derive(clap::Args)]
pub struct Args {
    /// The seed that a failing run printed.
    #[arg(long)]
    seed: u64,
    /// How many operations to run; what the failing run printed, or more.
    #[arg(long)]
    ops: u64,
    /// Further flags of `remap-sim run`, after `--`.
    #[arg(last = true)]
    rest: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let (seed, ops) = (args.seed.to_string(), args.ops.to_string());
    let mut cargo = process::cargo(["run", "--quiet", "--profile", "sim", "-p", "remap-sim", "--"])?;
    process::run(cargo.args(["run", "--seed", &seed, "--ops", &ops]).args(&args.rest))
}
