//! The program `dm-remap` over sets that the kernel runs, as an administrator uses it.

mod cli;
mod files;
mod life;
mod refusals;
mod spares;
mod with_udev;

use anyhow::Result;

use crate::checks::Checks;
use crate::scenario::{Next, Scenario, Step};
use cli::Cli;

pub const SCENARIO: Scenario = Scenario {
    name: "command",
    about: "the command makes, uses, changes and closes sets of the kernel, and every wrong turn gets a helpful word",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    limit_seconds: 900,
    ..Scenario::USUAL
};

fn play(checks: &Checks) -> Result<Next> {
    life::play(checks, &Cli::new("life")?)?;
    spares::play(checks, &Cli::new("spares")?)?;
    files::play(checks, &Cli::new("files")?)?;
    refusals::play(checks, &Cli::new("refusals")?)?;
    with_udev::play(checks, &Cli::new("udev")?)?;
    Ok(Next::Done)
}
