//! The command line: which commands there are. What each does is in its own file.

use anyhow::Result;
use clap::Parser;

use crate::commands;
use crate::exit::{self, Outcome};

/// Keeps a disk with bad sectors in service.
///
/// A set is a failing main disk and one or more spares. What the main disk can no longer store is carried to
/// a spare, durably and without an error to whoever uses it.
#[derive(Debug, Parser)]
#[command(name = "dm-remap", version, after_help = exit::HELP, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Demo(commands::demo::Args),
}

/// Reads the command line and does what it says.
pub fn run() -> Result<Outcome> {
    match Cli::parse().command {
        Command::Demo(args) => commands::demo::run(&args),
    }
}
