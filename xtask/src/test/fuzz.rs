//! Every fuzz target for a minute, as many at a time as there are cores.
//!
//! The corpora of `fuzz/corpus` are read and not added to: what a run learns stays in the build folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::judge;
use crate::{process, workspace};

/// How long each target is run.
const RUN_SECONDS: u64 = 60;
/// What a run may take beyond its time, to read its corpus and end its last input.
const GRACE_SECONDS: u64 = 60;

pub fn run() -> Result<()> {
    let folder = workspace::root().join("fuzz");
    let targets = targets(&fs::read_to_string(folder.join("Cargo.toml"))?)?;
    if targets.is_empty() {
        bail!("fuzz/Cargo.toml has no targets");
    }
    let build = workspace::target().join("fuzz");
    build_all(&build)?;
    let programs = build.join(host()?).join("release");

    let waiting = Mutex::new(targets.iter());
    let failures = Mutex::new(Vec::new());
    let work = || {
        // The lock is released before the target runs.
        let next = || waiting.lock().expect("no worker panics").next();
        while let Some(target) = next() {
            println!("fuzzing {target} for {RUN_SECONDS} s");
            match fuzz(target, &programs.join(target), &folder, &build) {
                Ok(line) => println!("{target}: {line}"),
                Err(error) => {
                    println!("{target}: FAILED");
                    failures.lock().expect("no worker panics").push(format!("{error:#}"));
                }
            }
        }
    };
    let workers = thread::available_parallelism()?.get();
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    let failures = failures.into_inner().expect("no worker panics");
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

/// The names of the binaries that a manifest declares.
fn targets(manifest: &str) -> Result<Vec<String>> {
    let manifest: toml::Table = manifest.parse()?;
    let bins = manifest.get("bin").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    let name = |bin: &toml::Value| bin.get("name").and_then(toml::Value::as_str).map(str::to_owned);
    bins.iter().map(|bin| name(bin).context("a [[bin]] of fuzz/Cargo.toml has no name")).collect()
}

fn build_all(build: &Path) -> Result<()> {
    let mut cargo = process::cargo(["fuzz", "build", "--target-dir"])?;
    // Sanitizers are not a stable feature of the compiler.
    process::run(cargo.arg(build).env("RUSTC_BOOTSTRAP", "1"))
}

fn host() -> Result<String> {
    let text = process::output(Command::new("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

/// Runs one target; returns libFuzzer's summary.
fn fuzz(target: &str, program: &Path, folder: &Path, build: &Path) -> Result<String> {
    let learnt: PathBuf = build.join("corpus").join(target);
    let kept = folder.join("corpus").join(target);
    let findings = folder.join("artifacts").join(target);
    fs::create_dir_all(&learnt)?;
    fs::create_dir_all(&findings)?;
    if !kept.is_dir() {
        bail!("{target} has no corpus; put its first inputs into fuzz/corpus/{target}");
    }
    let log = build.join(format!("{target}.log"));
    let mut command = Command::new(program);
    // libFuzzer writes what it learns into the first folder only.
    command.arg(&learnt).arg(&kept).arg(format!("-max_total_time={RUN_SECONDS}"));
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    let limit = Duration::from_secs(RUN_SECONDS + GRACE_SECONDS);
    judge(target, process::logged(&mut command, &log, limit)?, &log)?;
    let text = fs::read(&log)?;
    let text = String::from_utf8_lossy(&text);
    let summary = text.lines().rev().find(|line| line.starts_with("Done "));
    Ok(summary.context("libFuzzer ended without its summary")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn targets_are_the_binaries_of_the_manifest() {
        let manifest = "[package]\nname = 'f'\n[[bin]]\nname = 'a'\n[[bin]]\nname = 'b'\n";
        assert_eq!(targets(manifest).unwrap(), ["a", "b"]);
        assert!(targets("[package]\nname = 'f'\n").unwrap().is_empty());
        assert!(targets("[[bin]]\npath = 'a.rs'\n").is_err());
    }
}
