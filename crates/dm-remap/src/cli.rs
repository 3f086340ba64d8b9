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
    Create(commands::create::Args),
    Open(commands::open::Args),
    Close(commands::close::Args),
    List(commands::list::Args),
    Status(commands::status::Args),
    Mappings(commands::mappings::Args),
    Health(commands::health::Args),
    Monitor(commands::monitor::Args),
    Scrub(commands::scrub::Args),
    Remap(commands::order::RemapArgs),
    Retry(commands::order::RetryArgs),
    AcceptLoss(commands::order::AcceptLossArgs),
    Unmap(commands::order::UnmapArgs),
    Spare(commands::spare::Args),
    Import(commands::import::Args),
    Export(commands::export::Args),
    Scan(commands::scan::Args),
    Probe(commands::probe::Args),
    Check(commands::check::Args),
    Metadata(commands::metadata::Args),
    Remember(commands::remember::RememberArgs),
    Forget(commands::remember::ForgetArgs),
    Serve(commands::serve::Args),
    Completions(commands::completions::CompletionsArgs),
    Man(commands::completions::ManArgs),
}

/// Reads the command line and does what it says.
pub fn run() -> Result<Outcome> {
    match Cli::parse().command {
        Command::Demo(args) => commands::demo::run(&args),
        Command::Create(args) => commands::create::run(&args),
        Command::Open(args) => commands::open::run(&args),
        Command::Close(args) => commands::close::run(&args),
        Command::List(args) => commands::list::run(&args),
        Command::Status(args) => commands::status::run(&args),
        Command::Mappings(args) => commands::mappings::run(&args),
        Command::Health(args) => commands::health::run(&args),
        Command::Monitor(args) => commands::monitor::run(&args),
        Command::Scrub(args) => commands::scrub::run(&args),
        Command::Remap(args) => commands::order::remap(&args),
        Command::Retry(args) => commands::order::retry(&args),
        Command::AcceptLoss(args) => commands::order::accept_loss(&args),
        Command::Unmap(args) => commands::order::unmap(&args),
        Command::Spare(args) => commands::spare::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Scan(args) => commands::scan::run(&args),
        Command::Probe(args) => commands::probe::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Metadata(args) => commands::metadata::run(&args),
        Command::Remember(args) => commands::remember::remember(&args),
        Command::Forget(args) => commands::remember::forget(&args),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Completions(args) => commands::completions::completions(&args),
        Command::Man(args) => commands::completions::man(&args),
    }
}

#[cfg(test)]
mod tests;
