//! `completions` and `man`: made from the command line's definition.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Outcome;

/// Prints the completions for a shell.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the man pages into a folder.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The folder, which is made if it is not there.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn completions(args: &CompletionsArgs) -> Result<Outcome> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dm-remap", &mut text);
    crate::text::print(&String::from_utf8(text).context("completions are text")?)?;
    Ok(Outcome::Done)
}

pub fn man(args: &ManArgs) -> Result<Outcome> {
    let failed = || format!("cannot write man pages to {}", args.folder.display());
    std::fs::create_dir_all(&args.folder).with_context(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.folder).with_context(failed)?;
    Ok(Outcome::Done)
}
