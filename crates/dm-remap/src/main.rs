//! `dm-remap`: keeps a disk with bad sectors in service.
//!
//! The command: flags, printing, signals and exit codes live here; what they are about is decided below, in the
//! other crates.

mod cli;
mod commands;
mod confirm;
mod disks;
mod exit;
mod found;
mod kernel;
mod progress;
mod reach;
mod spare;
mod state;
mod text;
mod via;

use std::process::ExitCode;

fn main() -> ExitCode {
    exit::of(cli::run())
}
