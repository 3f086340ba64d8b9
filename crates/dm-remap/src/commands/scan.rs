//! `scan`: which sets and spares are there, on given disks or on all of this machine.

mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use remap_core::open::SuperblockScan;
use remap_io::members::scan;

use crate::disks;
use crate::exit::{self, Outcome};
use crate::spare::legacy::{self, Legacy};
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

/// What one disk turned out to be.
struct Seen {
    path: PathBuf,
    sectors: u64,
    serial: Option<String>,
    wwn: Option<String>,
    partition_uuid: Option<String>,
    scan: SuperblockScan,
    legacy: Option<Legacy>,
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

fn look(path: &Path) -> Result<Seen> {
    let disk = disks::peek(path)?;
    let facts = disk.facts();
    Ok(Seen {
        path: path.to_owned(),
        sectors: facts.sectors,
        serial: facts.serial.clone(),
        wwn: facts.wwn.clone(),
        partition_uuid: facts.partition_uuid.clone(),
        scan: scan(&*disk),
        legacy: legacy::find(&*disk),
    })
}

/// Every block device that has room. Optical and floppy drives are left alone: looking makes them move.
fn block_devices() -> Result<Vec<PathBuf>> {
    const FOLDER: &str = "/sys/class/block";
    let mut names = Vec::new();
    for entry in std::fs::read_dir(FOLDER).with_context(|| format!("cannot list {FOLDER}"))? {
        let entry = entry.with_context(|| format!("cannot list {FOLDER}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let size = std::fs::read_to_string(entry.path().join("size")).unwrap_or_default();
        let is_drive = ["sr", "fd", "ram"].iter().any(|kind| {
            name.strip_prefix(kind).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if size.trim() != "0" && !is_drive {
            // The kernel writes a slash in a name as an exclamation mark.
            names.push(PathBuf::from("/dev").join(name.replace('!', "/")));
        }
    }
    names.sort();
    Ok(names)
}
