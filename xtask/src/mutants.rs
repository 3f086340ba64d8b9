//! `cargo xtask mutants`: plants known bugs one at a time and checks that the simulation finds each.
//!
//! Works on a copy of the sources below the build folder; the tree itself is never touched.

mod copy;
mod outcome;
mod plan;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{process, workspace};
use outcome::Outcome;
use plan::Mutant;

/// Where the planted bugs are described.
const PLANS: &str = "crates/remap-sim/mutants";
/// How many operations the sources as they are must survive before bugs are planted.
const SOUND_OPS: u64 = 100_000;
/// After this long a simulation hangs.
const RUN_LIMIT: Duration = Duration::from_secs(300);
/// After this long a build hangs.
const BUILD_LIMIT: Duration = Duration::from_secs(600);

#[derive(clap::Args, Default)]
pub struct Args {
    /// Plant only the bugs of these names.
    names: Vec<String>,
    /// Read the planted bugs from another folder.
    #[arg(long)]
    from: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    let plans = plan::read(&args.from.clone().unwrap_or_else(|| root.join(PLANS)))?;
    let chosen = plan::choose(plans, &args.names)?;
    let scratch = Scratch::new(&root)?;

    println!("without a planted bug: {SOUND_OPS} operations must pass");
    let sound = scratch.build_and_soak(SOUND_OPS, &[])?;
    if !matches!(sound, Outcome::NothingFound) {
        bail!("the sources fail as they are, so nothing can be told of planted bugs: {sound}");
    }
    let mut rows = Vec::new();
    for mutant in &chosen {
        let start = Instant::now();
        let outcome = scratch.try_mutant(mutant)?;
        println!("{}: {outcome} ({:.0} s)", mutant.name, start.elapsed().as_secs_f64());
        rows.push((mutant, outcome));
    }

    println!("\n{}", table(&rows));
    let missed = rows.iter().filter(|(_, outcome)| !outcome.is_found()).count();
    if missed > 0 {
        bail!("{missed} of {} planted bugs were not found", rows.len());
    }
    Ok(())
}

/// A copy of the sources with a build folder of its own, kept between runs.
struct Scratch {
    source: PathBuf,
    target: PathBuf,
    log: PathBuf,
}

impl Scratch {
    fn new(root: &Path) -> Result<Self> {
        let dir = workspace::target().join("mutants");
        let scratch =
            Self { source: dir.join("source"), target: dir.join("target"), log: dir.join("last.log") };
        fs::create_dir_all(&scratch.source)?;
        copy::sync(root, &workspace::files(root)?, &scratch.source)?;
        Ok(scratch)
    }

    fn try_mutant(&self, mutant: &Mutant) -> Result<Outcome> {
        let file = self.source.join(&mutant.file);
        let sound = fs::read_to_string(&file)
            .with_context(|| format!("{}: cannot read {}", mutant.name, mutant.file.display()))?;
        fs::write(&file, mutant.apply(&sound)?)?;
        let outcome = self.build_and_soak(mutant.ops, &mutant.args);
        // Before an error leaves: the next run compares contents, and yet nobody should meet a bug here.
        fs::write(&file, sound)?;
        outcome
    }

    fn build_and_soak(&self, ops: u64, args: &[String]) -> Result<Outcome> {
        let mut cargo =
            process::cargo(["build", "--profile", "sim", "-p", "remap-sim", "--bin", "remap-sim"])?;
        cargo.current_dir(&self.source).env("CARGO_TARGET_DIR", &self.target);
        // Each bug is built for a run of seconds: building is what counts.
        cargo.env("CARGO_PROFILE_SIM_LTO", "off").env("CARGO_PROFILE_SIM_CODEGEN_UNITS", "16");
        cargo.env("CARGO_PROFILE_SIM_DEBUG", "0").env("CARGO_PROFILE_SIM_INCREMENTAL", "true");
        let built = process::logged(&mut cargo, &self.log, BUILD_LIMIT)?;
        if !built.is_some_and(|status| status.success()) {
            return Ok(Outcome::BuildFailed(self.read_log()?));
        }
        let mut soak = std::process::Command::new(self.target.join("sim/remap-sim"));
        soak.args(["soak", "--ops", &ops.to_string()]).args(args).current_dir(&self.source);
        let Some(status) = process::logged(&mut soak, &self.log, RUN_LIMIT)? else {
            return Ok(Outcome::Hung);
        };
        Ok(Outcome::of(status.code(), &self.read_log()?))
    }

    fn read_log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }
}

/// Two lines for each planted bug: what came of it, and what it is.
fn table(rows: &[(&Mutant, Outcome)]) -> String {
    let width = rows.iter().map(|(mutant, _)| mutant.name.len()).max().unwrap_or(0).max(11);
    let mut lines = vec![format!("{:width$}  {:>10}  found as", "planted bug", "operations")];
    for (mutant, outcome) in rows {
        let ops = outcome.ops().map_or_else(|| "-".to_owned(), |ops| ops.to_string());
        lines.push(format!("{:width$}  {ops:>10}  {}", mutant.name, outcome.headline()));
        lines.push(format!("{:width$}  {:>10}  ({})", "", "", mutant.about));
    }
    lines.join("\n")
}
