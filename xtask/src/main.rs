//! The developer's one command, the same that CI runs.
//!
//! One file per command. Nothing here is part of the product, and nothing of the product may depend on it.

mod bench;
mod kernels;
mod kmod;
mod lab;
mod machine;
mod metadata;
mod mutants;
mod package;
mod process;
mod setup;
mod sim;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, tests and measures dm-remap.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs the programs that the tests need.
    Setup(setup::Args),
    /// Runs everything that CI runs.
    Test(test::Args),
    /// Replays one seed of the simulation.
    Sim(sim::Args),
    /// Plants bugs one at a time and checks that the simulation finds each.
    Mutants(mutants::Args),
    /// Runs the benches.
    Bench(bench::Args),
    /// Builds the kernel module.
    Kmod(kmod::Args),
    /// Runs scenarios under real kernels, in disposable guests.
    Lab(lab::Args),
    /// Makes the Debian packages.
    Package(package::Args),
    /// Installs the packages on a Debian whose root file system lies on a set, and boots it.
    Machine(machine::Args),
    /// Checks the habits of the codebase that no compiler checks.
    Tidy,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup(args) => setup::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Kmod(args) => kmod::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Package(args) => package::run(&args),
        Command::Machine(args) => machine::run(&args),
        Command::Tidy => tidy::run(),
    };
    if let Err(error) = result {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
