//! `scan`: which sets and spares are there, on given disks or on all of this machine.

mod report;

use std::path::PathBuf;

use anyhow::Result;

use crate::exit::{self, Outcome};
use crate::found::{block_devices, look};
use report::Report;

/// Finds sets and their spares, complete or not.
///
/// Reads without locks and writes nothing, so that it can be run at any time. Without DEVICE it looks at every
/// block device of this machine. Headers of the older dm-remap (4.2 and 1.0) are told, too.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Devices or files to look at.
    #[arg(value_name = "DEVICE")]
    devices: Vec<PathBuf>,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let asked = !args.devices.is_empty();
    let paths = if asked { args.devices.clone() } else { block_devices()? };
    let (mut seen, mut unreadable) = (Vec::new(), Vec::new());
    for path in paths {
        match look(&path) {
            Ok(disk) => seen.push(disk),
            Err(error) => unreadable.push((path, exit::chain(&error))),
        }
    }
    let report = Report::of(&seen, unreadable);
    if args.json {
        crate::text::print_json(&report)?;
    } else {
        crate::text::print(&report.tell(asked))?;
    }
    if asked && seen.is_empty() {
        anyhow::bail!("none of the disks could be opened");
    }
    Ok(if report.needs_care() { Outcome::Findings } else { Outcome::Done })
}
