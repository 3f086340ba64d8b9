//! `probe`: what a device is to a set, for udev's rules.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::disks::{self, identity_at};
use crate::exit::Outcome;
use crate::found::{self, Seen};
use crate::state::{Folders, Record};

/// Tells what a device is to a set, as properties for udev.
///
/// Prints `DM_REMAP_ROLE` (`spare` or `main`), `DM_REMAP_SET` (the set's UUID) and `DM_REMAP_NAME`, or nothing for a
/// device that is neither. A main disk is known by the record of its set, and by what the set's spare says of it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The device.
    #[arg(value_name = "DEVICE")]
    device: PathBuf,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let seen = found::look(&args.device)?;
    if let Some(superblock) = &seen.scan.newest {
        say("spare", &superblock.set.to_string(), &superblock.name)?;
    } else {
        let (records, _) = Folders::of_user()?.records()?;
        if let Some(record) = records.iter().find(|record| is_main_of(record, &args.device, &seen)) {
            say("main", &record.set, &record.name)?;
        }
    }
    Ok(Outcome::Done)
}

fn say(role: &str, set: &str, name: &str) -> Result<()> {
    // A superblock's name is foreign, and udev reads a property a line.
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
    let properties = format!("DM_REMAP_ROLE={role}\nDM_REMAP_SET={set}\nDM_REMAP_NAME={name}");
    Ok(crate::text::say(&properties)?)
}

/// Whether a device is the main disk of a set that is remembered.
fn is_main_of(record: &Record, device: &Path, seen: &Seen) -> bool {
    let Ok(main) = disks::parse(&record.main) else { return false };
    let main = main.path();
    // While udev looks at a device, its links are not there yet; it says which they will be.
    let links = env::var("DEVLINKS").unwrap_or_default();
    let by_link = links.split_ascii_whitespace().any(|link| Path::new(link) == main);
    let by_path = main == device || identity_at(main).is_some() && identity_at(main) == identity_at(device);
    // Names that the kernel gives go to other disks at other times.
    let is_lasting = main.parent() != Some(Path::new("/dev"));
    match found::spare_says(record, seen) {
        Some(is_main) => is_main,
        None => by_link || by_path && is_lasting,
    }
}
