//! Exit codes, and how a failure is told.
//!
//! Owns the meaning of each code. `--help` shows the same list.

use std::fmt;
use std::process::ExitCode;

use anyhow::Error;

mod refusals;

/// Shown at the end of `--help`.
pub const HELP: &str = "\
Exit codes:
  0  done
  1  failed: what was tried did not work
  2  the command line makes no sense
  3  refused: nothing was tried, since it could lose data or is not what was meant
  4  done, and something was found that needs care: lost sectors, damaged metadata
`health` keeps to the conventions of monitoring plugins: 0 ok, 1 warning, 2 critical, 3 unknown.";

/// What a command came to when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
    /// Something was found that needs care.
    Findings,
    /// A monitoring plugin's own code.
    Plugin(u8),
}

/// A refusal: nothing was tried. Its text says what, why, and what to do instead.
#[derive(Debug)]
pub struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// A command line that clap could not know to be wrong.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// An error that says what is wrong with the command line.
pub fn usage(text: impl Into<String>) -> Error {
    Error::new(Usage(text.into()))
}

/// An error that says why nothing was tried.
pub fn refusal(text: impl Into<String>) -> Error {
    Error::new(Refusal(text.into()))
}

/// The exit code of a command; a failure's text goes to standard error.
pub fn of(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(4),
        Ok(Outcome::Plugin(code)) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            crate::text::complain(&format!("dm-remap: {}", chain(&error)));
            ExitCode::from(code_of(&error))
        }
    }
}

/// An error and its causes, each told once: many messages tell their cause by themselves.
pub fn chain(error: &Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn code_of(error: &Error) -> u8 {
    let is_refusal =
        |cause: &(dyn std::error::Error + 'static)| cause.is::<Refusal>() || refusals::is_refusal(cause);
    if error.is::<Usage>() {
        2
    } else if error.is::<Refusal>() || error.chain().any(is_refusal) {
        3
    } else {
        1
    }
}

/// Whoever read the output has seen enough, as `head` does.
fn is_closed_pipe(error: &Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<crate::text::OutputError>().is_some_and(crate::text::OutputError::is_closed_pipe)
    })
}

#[cfg(test)]
mod tests;
