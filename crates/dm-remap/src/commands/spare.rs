//! `spare`: one more, one less, or which there are.

mod running;

use anyhow::{Context as _, Result};
use remap_io::disk::{DiskSpec, OpenOptions};
use remap_io::members::{ChangeError, CreateError, add_spare, remove_spare, scan};

use crate::disks::{self, SetDisks};
use crate::exit::{Outcome, refusal};
use crate::kernel::KernelSet;
use crate::reach::{self, Reached};
use crate::state::{Folders, Record, SetName};
use crate::text::table::Table;
use crate::text::{grouped, size};

use super::create::ask_before_overwriting;

/// Lists the spares of a set, adds one, or removes one.
///
/// To add or remove one, a set in user space must be closed; one in the kernel stays in use. What lies on a spare
/// that is removed is carried to the others first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of a set; or the path of its device; for list also that of its control socket.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Which spares there are, and how full.
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
    },
    /// One more. It is formatted: what is on it goes.
    Add {
        /// A device or file.
        #[arg(value_name = "DISK", value_parser = disks::parse)]
        disk: DiskSpec,
        /// Overwrite it even if it is not blank.
        #[arg(long)]
        force: bool,
        /// With --force: do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// One less: empties it and takes it out of the set.
    Remove {
        /// Its path, or its number in the list.
        #[arg(value_name = "DISK|NUMBER")]
        disk: String,
    },
}

pub fn run(args: &Args) -> Result<Outcome> {
    match &args.action {
        Action::List { json } => list(&args.name, *json),
        Action::Add { disk, force, yes } => match running(&args.name)? {
            Some(set) => running::add(&set, disk),
            None => add(&reach::record(&args.name)?, disk, *force, *yes),
        },
        Action::Remove { disk } => match running(&args.name)? {
            Some(set) => running::remove(&set, disk),
            None => remove(&reach::record(&args.name)?, disk),
        },
    }
}

/// The set, if the kernel runs it; a refusal if a server does.
fn running(name: &str) -> Result<Option<KernelSet>> {
    match reach::open(name, reach::PATIENCE)? {
        Some(Reached::Kernel(set)) => Ok(Some(set)),
        Some(Reached::Served(_) | Reached::Closed(_)) => Err(refusal(format!(
            "{name} is open in user space, where spares are changed while it is closed: dm-remap close {name}, then this \
             again, then dm-remap open {name}"
        ))),
        None => Ok(None),
    }
}

fn list(name: &str, json: bool) -> Result<Outcome> {
    let mut set = reach::look(name)?;
    let spares = set.status()?.spares;
    set.finish()?;
    if json {
        crate::text::print_json(&spares)?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&[">NUMBER", "DISK", "STATE", ">SIZE", ">SLOTS", ">USED", ">FAILED"]);
    for (number, spare) in (1_u32..).zip(spares) {
        table.row([
            number.to_string(),
            spare.path.unwrap_or_else(|| spare.uuid.clone()),
            spare.state,
            size::show_sectors(spare.sectors),
            grouped(spare.slots_total),
            grouped(spare.slots_used),
            grouped(spare.slots_retired),
        ]);
    }
    crate::text::print(&table.show())?;
    Ok(Outcome::Done)
}

fn add(record: &Record, disk: &DiskSpec, force: bool, yes: bool) -> Result<Outcome> {
    let disk = disks::absolute(disk)?;
    let set = SetDisks::of_record(record)?;
    let all: Vec<DiskSpec> = set.spares.iter().chain([&disk]).cloned().collect();
    disks::refuse_twins(&set.main, &all)?;
    let members = set.open(false)?;
    let new = disk.open(&OpenOptions::default()).context("the new spare")?;
    let superblock = match add_spare(&members, new, false) {
        Err(ChangeError::Spare(CreateError::NotBlank { path, found })) => {
            if !force {
                return Err(refusal(format!(
                    "{disk} is not blank: it holds {found}. Choose another disk, or pass --force to overwrite all of it"
                )));
            }
            ask_before_overwriting(&path, &found, 1, yes)?;
            add_spare(&members, disk.open(&OpenOptions::default())?, true)?
        }
        added => added?,
    };
    let mut spares = record.spares.clone();
    spares.push(disks::as_text(&disk)?);
    remember(record, spares)?;
    let slots: u64 = superblock.members.iter().map(|member| u64::from(member.slots)).sum();
    crate::text::say(&format!(
        "{} has {disk} as a spare now, and {} slots in all",
        record.name,
        grouped(slots)
    ))?;
    Ok(Outcome::Done)
}

fn remove(record: &Record, which: &str) -> Result<Outcome> {
    let set = SetDisks::of_record(record)?;
    let members = set.open(false)?;
    // The record's order is that of the command line, the superblock's that of filling.
    let places =
        members.spares.iter().map(|spare| scan(&**spare).newest.map(|superblock| superblock.member as usize));
    let places: Vec<Option<usize>> = places.collect();
    let at = if let Ok(number) = which.parse::<usize>() {
        places.iter().position(|place| number.checked_sub(1) == *place && number > 0)
    } else {
        let wanted = disks::parse(which).map_err(anyhow::Error::msg)?;
        let identity = disks::identity_at(wanted.path());
        set.spares.iter().position(|spare| identity.is_some() && disks::identity_at(spare.path()) == identity)
    };
    let found = at.and_then(|at| Some((at, places[at]?)));
    let Some((at, index)) = found else {
        return Err(refusal(format!(
            "{} has no spare {which}: dm-remap spare {0} list shows them with their numbers",
            record.name
        )));
    };
    remove_spare(&members, index)?;
    let mut spares = record.spares.clone();
    let removed = spares.remove(at);
    remember(record, spares)?;
    crate::text::say(&format!(
        "{removed} is no spare of {} any more; its superblocks are erased",
        record.name
    ))?;
    Ok(Outcome::Done)
}

fn remember(record: &Record, spares: Vec<String>) -> Result<()> {
    let name: SetName = record.name.parse().map_err(anyhow::Error::msg)?;
    let path = Folders::of_user()?.record(&name);
    Record::new(&record.name, record.set.clone(), record.main.clone(), spares, record.via).write(&path, true)
}
