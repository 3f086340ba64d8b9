//! The program that runs in the guest: `lab run SCENARIO…`, and anywhere: `lab list`.

use std::ffi::OsStr;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use lab::runner::{self, Ended};
use lab::{guest, scenarios};

/// Runs scenarios in a guest that was started for them.
#[derive(Parser)]
#[command(name = "lab")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the scenarios.
    List {
        /// With everything that who starts guests must know.
        #[arg(long)]
        json: bool,
    },
    /// Runs scenarios, or single steps of them (NAME/STEP), in this order.
    Run {
        /// The virtual serial port to write to, instead of standard output.
        #[arg(long)]
        port: Option<String>,
        /// The kernel module to load first.
        #[arg(long, value_name = "FILE")]
        module: Option<std::path::PathBuf>,
        /// How many times as long as usual everything may take.
        #[arg(long, default_value_t = 1)]
        slowness: u32,
        /// Where ZFS lies, for scenarios that need it.
        #[arg(long, value_name = "FOLDER")]
        zfs: Option<std::path::PathBuf>,
        #[arg(required = true)]
        scenarios: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // On the port, if there is one, nobody looks at standard error.
            println!("FAILED lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
fn run(command: Command) -> Result<bool> {
    match command {
        Command::List { json: true } => {
            println!("{}", serde_json::to_string_pretty(scenarios::ALL)?);
            Ok(true)
        }
        Command::List { json: false } => {
            for scenario in scenarios::ALL {
                println!("{:16} {}", scenario.name, scenario.about);
            }
            Ok(true)
        }
        Command::Run { port, module, slowness, zfs, scenarios } => {
            if let Some(home) = zfs {
                lab::zfs::lies_in(home);
            }
            let steps = scenarios::steps(&scenarios)?;
            guest::start(port.as_deref(), module.as_deref())?;
            let loaded = module.as_deref().and_then(std::path::Path::file_stem).map(OsStr::to_string_lossy);
            match runner::run(&steps, loaded.as_deref(), slowness) {
                Ended::PowerCut => match guest::cut_power()? {},
                Ended::Checks { failed } => {
                    println!("guest: done");
                    Ok(failed == 0)
                }
            }
        }
    }
}
