//! `cargo xtask bench`: runs the benches of the crates, and those that set programs against each other.
//!
//! A bench of the second kind is one file in this folder and one line in `CONTESTS`.

mod nbd;
mod rounds;
mod target;

use anyhow::{Result, bail};

use crate::process::{self, cargo};
use crate::{metadata, workspace};

#[derive(clap::Args)]
pub struct Args {
    /// Only the bench of this name.
    name: Option<String>,
}

/// A bench that sets whole programs against each other: its name and how to run it.
type Contest = (&'static str, fn() -> Result<()>);

const CONTESTS: [Contest; 2] = [("nbd", nbd::run), ("target", target::run)];

/// The prefix of programs that are benches of their own.
const PROGRAM: &str = "dm-remap-bench";

/// A bench that cargo knows.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    package: String,
    name: String,
    /// Whether cargo calls it a bench; else it is a program.
    is_bench: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let found = find(&metadata::read(&workspace::root())?);
    let wanted = |name: &str| args.name.as_deref().is_none_or(|only| only == name);
    let mut ran = 0;
    for bench in found.iter().filter(|bench| wanted(&bench.name)) {
        println!("\n== {} of {}", bench.name, bench.package);
        let mut command = if bench.is_bench {
            cargo(["bench", "-p", &bench.package, "--bench", &bench.name])?
        } else {
            cargo(["run", "--release", "-p", &bench.package, "--bin", &bench.name])?
        };
        process::run(&mut command)?;
        ran += 1;
    }
    for (name, contest) in CONTESTS.iter().filter(|(name, _)| wanted(name)) {
        println!("\n== {name}");
        contest()?;
        ran += 1;
    }
    if ran == 0 {
        let names = found.iter().map(|bench| &*bench.name).chain(CONTESTS.iter().map(|(name, _)| *name));
        bail!("no such bench; there are: {}", names.collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

fn find(metadata: &metadata::Metadata) -> Vec<Found> {
    let mut found = Vec::new();
    for package in &metadata.packages {
        for target in &package.targets {
            let is_bench = target.kind.iter().any(|kind| kind == "bench");
            let is_program = target.kind.iter().any(|kind| kind == "bin") && target.name.starts_with(PROGRAM);
            if is_bench || is_program {
                found.push(Found { package: package.name.clone(), name: target.name.clone(), is_bench });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Found, find};
    use crate::metadata::Metadata;

    #[test]
    fn benches_and_bench_programs_are_found_and_nothing_else() {
        let text = r#"{"packages": [{"name": "p", "dependencies": [], "targets": [
            {"name": "p", "kind": ["lib"]}, {"name": "map", "kind": ["bench"]},
            {"name": "dm-remap-bench", "kind": ["bin"]}, {"name": "dm-remap", "kind": ["bin"]}]}]}"#;
        let metadata: Metadata = serde_json::from_str(text).unwrap();
        let bench = |name: &str, is_bench| Found { package: "p".into(), name: name.into(), is_bench };
        assert_eq!(find(&metadata), [bench("map", true), bench("dm-remap-bench", false)]);
    }
}
