//! Calling the command: what it printed, and how it ended.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::checks::Checks;
use crate::{guest, program};

/// The command, with folders of its own for what it remembers.
pub struct Cli {
    program: PathBuf,
    state: PathBuf,
}

/// How a call ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Cli {
    pub fn new(name: &str) -> Result<Self> {
        Ok(Self { program: program::dm_remap()?, state: guest::new_folder(&format!("state-{name}"))? })
    }

    /// The same with the program at another place.
    pub fn with_program(&self, program: PathBuf) -> Self {
        Self { program, state: self.state.clone() }
    }

    /// The command itself, before its words.
    pub fn command(&self) -> Command {
        self.with(&self.program.display().to_string())
    }

    /// The same through another program, whose last words are the command's.
    pub fn through(&self, words: &[&str]) -> Command {
        let mut command = self.with(words[0]);
        command.args(&words[1..]).arg(&self.program);
        command
    }

    fn with(&self, program: &str) -> Command {
        let mut command = program::command(program);
        command.env("DM_REMAP_STATE_DIR", self.state.join("sets"));
        command.env("DM_REMAP_RUNTIME_DIR", self.state.join("run"));
        command.stdin(Stdio::null());
        command
    }

    /// Calls it.
    pub fn run(&self, words: &str) -> Result<Ran> {
        ran(self.command().args(words.split(' ')))
    }

    /// Calls it; it has to end well. Gives what it printed.
    pub fn ok(&self, words: &str) -> Result<String> {
        let ran = self.run(words)?;
        ensure!(ran.code == Some(0), "dm-remap {words}: {ran:?}");
        Ok(ran.stdout)
    }

    /// The same, and what it printed is JSON. It may have found something that needs care.
    pub fn json(&self, words: &str) -> Result<Value> {
        let ran = self.run(&format!("{words} --json"))?;
        ensure!(matches!(ran.code, Some(0 | 4)), "dm-remap {words}: {ran:?}");
        serde_json::from_str(&ran.stdout).with_context(|| format!("dm-remap {words}: {ran:?}"))
    }

    /// Checks that it is refused with a text that has all `parts`.
    pub fn refused(&self, checks: &Checks, name: &str, words: &str, parts: &[&str]) -> Result<()> {
        let ran = self.run(words)?;
        let is_so = ran.code == Some(3) && parts.iter().all(|part| ran.stderr.contains(part));
        checks.that(name, is_so, format!("dm-remap {words}: {ran:?}"));
        println!("  said: {}", ran.stderr.trim());
        Ok(())
    }
}

/// Runs a command, however it ends.
pub fn ran(command: &mut Command) -> Result<Ran> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    Ok(Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
