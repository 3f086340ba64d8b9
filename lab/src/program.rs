//! Running other programs: those that set things up and must succeed, and those whose failure is looked at.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Runs `program` and returns its standard output without the last line's end; an error with all that it
/// printed unless it succeeds.
pub fn run<I: IntoIterator<Item: AsRef<OsStr>>>(program: &str, args: I) -> Result<String> {
    of(command(program).args(args))
}

/// The program `dm-remap`, built beside this one.
pub fn dm_remap() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("dm-remap");
    ensure!(path.exists(), "no {}; build it: cargo build --release -p dm-remap", path.display());
    Ok(path)
}

/// A command that finds what programs of a guest need set.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    // There is no udev that would make nodes of mapped devices; the programs make them themselves.
    command.env("DM_DISABLE_UDEV", "1");
    command
}

/// The same for a command that is already put together.
pub fn of(command: &mut Command) -> Result<String> {
    let text = describe(command);
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {text}"))?;
    let stdout = String::from_utf8_lossy(&stdout);
    if !status.success() {
        bail!("{text}: {status}: {} {}", String::from_utf8_lossy(&stderr).trim(), stdout.trim());
    }
    Ok(stdout.trim_end_matches('\n').to_owned())
}

fn describe(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn output_comes_back_and_a_failure_tells_what_was_printed() {
        assert_eq!(run("echo", ["a", "b"]).unwrap(), "a b");
        let error = run("sh", ["-c", "echo why >&2; exit 3"]).unwrap_err().to_string();
        assert!(error.contains("why") && error.contains('3'), "{error}");
        assert!(run("/no/such/program", [""; 0]).is_err());
    }
}
