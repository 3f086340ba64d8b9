//! `remember` and `forget`: records of sets, without touching the sets.

use anyhow::{Context as _, Result};
use remap_io::disk::{DiskSpec, OpenOptions};
use remap_io::members::Members;

use crate::disks;
use crate::exit::{Outcome, refusal};
use crate::reach;
use crate::spare::SpareDisk;
use crate::state::{Folders, Record, SetName};
use crate::via::{Choice, VIA_VARIABLE, Via};

/// Remembers a set that was made elsewhere, so that `open` finds it by its name.
///
/// Nothing is written to the disks.
#[derive(Debug, clap::Args)]
pub struct RememberArgs {
    /// The main disk.
    #[arg(long, value_name = "DISK", value_parser = disks::parse)]
    main: DiskSpec,
    /// A spare; give all of them.
    #[arg(long = "spare", value_name = "DISK", required = true, value_parser = disks::parse)]
    spares: Vec<DiskSpec>,
    /// Call it so here [default: the name it was made with].
    #[arg(long, value_name = "NAME")]
    name: Option<SetName>,
    /// Where `open` is to run it [default: in the kernel where that can be].
    #[arg(long, value_enum, env = VIA_VARIABLE)]
    via: Option<Via>,
}

/// Forgets sets that are closed. What lies on their disks stays; `remember` brings them back.
#[derive(Debug, clap::Args)]
pub struct ForgetArgs {
    /// The names of sets.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<SetName>,
}

pub fn remember(args: &RememberArgs) -> Result<Outcome> {
    let folders = Folders::of_user()?;
    folders.make_state()?;
    let main = disks::absolute(&args.main)?;
    let spares: Vec<DiskSpec> = args.spares.iter().map(disks::absolute).collect::<Result<_>>()?;
    disks::refuse_twins(&main, &spares)?;
    let options = OpenOptions::read_only();
    let members = Members { main: main.open(&options).context("the main disk")?, spares: Vec::new() };
    let mut set = None;
    for spec in &spares {
        let spare = SpareDisk::read(spec.to_string(), spec.open(&options).context("a spare")?);
        let superblock = spare.superblock()?;
        if set.as_ref().is_some_and(|(uuid, _)| *uuid != superblock.set) {
            return Err(refusal(format!("{spec} belongs to another set than the spares before it")));
        }
        set = Some((superblock.set, superblock.name.to_string()));
        if members.main.facts().sectors != superblock.main.sectors {
            return Err(refusal(format!(
                "{main} is not the main disk of this set: it has {} sectors, and the set was made for one of {}",
                members.main.facts().sectors,
                superblock.main.sectors
            )));
        }
    }
    let (uuid, made_with) = set.context("at least one spare was given")?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => made_with.parse().map_err(|error: String| {
            refusal(format!(
                "the set's own name `{}` cannot be used here ({error}): give --name",
                made_with.escape_default()
            ))
        })?,
    };
    let (records, _) = folders.records()?;
    if let Some(known) = records.iter().find(|record| record.set == uuid.to_string()) {
        return Err(refusal(format!(
            "this set is remembered already, as `{0}`: dm-remap open {0}, or dm-remap forget {0} first",
            known.name
        )));
    }
    if folders.find(&name)?.is_some() {
        return Err(refusal(format!("there is a set called `{name}` already: choose another with --name")));
    }
    let via = args.via.unwrap_or_else(|| Choice::of_machine(spares.iter().chain([&main])).via);
    let spares = spares.iter().map(disks::as_text).collect::<Result<Vec<_>>>()?;
    let record = Record::new(name.as_str(), uuid.to_string(), disks::as_text(&main)?, spares, via);
    record.write(&folders.record(&name), false)?;
    crate::text::say(&format!("remembered {name}\nNext: dm-remap open {name}"))?;
    Ok(Outcome::Done)
}

pub fn forget(args: &ForgetArgs) -> Result<Outcome> {
    let folders = Folders::of_user()?;
    for name in &args.names {
        if reach::open(name.as_str(), reach::PATIENCE)?.is_some() {
            return Err(refusal(format!("{name} is open: dm-remap close {name} first")));
        }
        reach::record(name.as_str())?;
        let path = folders.record(name);
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        crate::text::say(&format!("forgot {name}; its disks are as they were"))?;
    }
    Ok(Outcome::Done)
}
