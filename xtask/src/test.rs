//! `cargo xtask test`: everything that CI runs, the quickest checks first.
//!
//! A failing step does not stop the later ones, so that one run tells all that is wrong.

mod deny;
mod fuzz;
mod steps;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{process, setup};

#[derive(clap::Args)]
pub struct Args {
    /// Leave out fuzzing and planted bugs, and simulate less.
    #[arg(long)]
    fast: bool,
}

/// How thorough a run is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Fast,
    Full,
}

pub fn run(args: &Args) -> Result<()> {
    setup::run(&setup::Args { if_needed: true })?;
    let tier = if args.fast { Tier::Fast } else { Tier::Full };
    let steps = steps::of(tier);
    let mut results = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        println!("\n== {}/{} {}", index + 1, steps.len(), step.title);
        let start = Instant::now();
        let result = (step.run)(tier);
        let took = start.elapsed();
        match &result {
            Ok(()) => println!("== ok: {}, {:.1} s", step.title, took.as_secs_f64()),
            Err(error) => println!("== FAILED: {}, {:.1} s: {error:#}", step.title, took.as_secs_f64()),
        }
        results.push((step.title, took, result.is_ok()));
    }
    report(&results);
    if results.iter().any(|(_, _, passed)| !passed) {
        // The reasons stand above, beside their steps.
        std::process::exit(1);
    }
    Ok(())
}

fn report(results: &[(&str, Duration, bool)]) {
    println!();
    for (title, took, passed) in results {
        let verdict = if *passed { "ok" } else { "FAILED" };
        println!("{verdict:6} {:7.1} s  {title}", took.as_secs_f64());
    }
    let failed = results.iter().filter(|(_, _, passed)| !passed).count();
    println!("{} passed, {failed} failed", results.len() - failed);
}

/// The last lines of a log, for a person who will not look for the file.
fn tail(log: &std::path::Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    // A sanitizer's report is some sixty lines, its reason stands first.
    lines[lines.len().saturating_sub(80)..].join("\n")
}

/// Fails with the end of `log` unless `status` is a success within the time that was allowed.
fn judge(what: &str, status: Option<std::process::ExitStatus>, log: &std::path::Path) -> Result<()> {
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("{what}: {status}\n{}", tail(log)),
        None => bail!("{what}: killed, it did not end\n{}", tail(log)),
    }
}

/// Whether tests that need root can run.
fn is_root() -> bool {
    process::output(std::process::Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
