//! What lies on this machine's disks: spares, and the main disks that their sets were made for.
//!
//! Reads without locks and writes nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use remap_core::format::superblock::Superblock;
use remap_core::open::SuperblockScan;
use remap_io::disk::DiskSpec;
use remap_io::members::{contents_uuid, scan};

use crate::disks;
use crate::exit::refusal;
use crate::kernel::UUID_PREFIX;
use crate::spare::legacy::{self, Legacy};
use crate::state::{Record, SetName};
use crate::via::Choice;

/// Where the kernel lists block devices.
const FOLDER: &str = "/sys/class/block";

/// What one disk turned out to be.
pub struct Seen {
    pub path: PathBuf,
    pub sectors: u64,
    serial: Option<String>,
    wwn: Option<String>,
    partition_uuid: Option<String>,
    pub scan: SuperblockScan,
    pub legacy: Option<Legacy>,
}

/// Looks at one disk.
pub fn look(path: &Path) -> Result<Seen> {
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

/// Every block device that has room, without open sets, which look like their main disks. Optical and floppy drives are
/// left alone: looking makes them move.
pub fn block_devices() -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(FOLDER).with_context(|| format!("cannot list {FOLDER}"))? {
        let entry = entry.with_context(|| format!("cannot list {FOLDER}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let fact = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        let is_drive = ["sr", "fd", "ram"].iter().any(|kind| {
            name.strip_prefix(kind).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if fact("size").trim() != "0" && !is_drive && !fact("dm/uuid").starts_with(UUID_PREFIX) {
            // The kernel writes a slash in a name as an exclamation mark.
            names.push(PathBuf::from("/dev").join(name.replace('!', "/")));
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a disk is known by something of its own to be the main disk of a set, or not to be: neither where too little
/// is known.
fn is_main(superblock: &Superblock, disk: &Seen) -> Option<bool> {
    let known = &superblock.main;
    if disk.sectors != known.sectors {
        return Some(false);
    }
    let facts = [
        (&disk.wwn, known.wwn.as_str()),
        (&disk.serial, known.serial.as_str()),
        (&disk.partition_uuid, known.partition_uuid.as_str()),
    ];
    let both_known = facts.into_iter().filter(|(now, then)| now.is_some() && !then.is_empty());
    both_known.fold(None, |so_far, (now, then)| Some(so_far != Some(false) && now.as_deref() == Some(then)))
}

/// Where the main disk of a set is: where it was last seen if nothing is said against that, else by what is known of it
/// among those that were `seen`, else by what it holds, if that can be only one.
pub fn main_of(superblock: &Superblock, seen: &[Seen]) -> Option<PathBuf> {
    let last = PathBuf::from(superblock.main.path.as_str());
    let is_there = look(&last).is_ok_and(|disk| is_main(superblock, &disk).unwrap_or(true));
    let known = || seen.iter().find(|disk| is_main(superblock, disk) == Some(true));
    if is_there && seen.iter().all(|disk| disk.path == last || is_main(superblock, disk) != Some(true)) {
        return Some(last);
    }
    known().map(|disk| disk.path.clone()).or_else(|| main_by_contents(superblock, seen))
}

fn main_by_contents(superblock: &Superblock, seen: &[Seen]) -> Option<PathBuf> {
    let wanted = superblock.main.filesystem_uuid.as_str();
    let holds_it = |disk: &&Seen| {
        is_main(superblock, disk).is_none()
            && disks::peek(&disk.path).is_ok_and(|disk| contents_uuid(&*disk) == wanted)
    };
    let mut holders = seen.iter().filter(holds_it);
    let only = holders.next().filter(|_| !wanted.is_empty())?;
    holders.next().is_none().then(|| only.path.clone())
}

/// The records of all sets whose disks are all there, and what is missing of the others.
pub fn sets() -> Result<(Vec<Record>, Vec<anyhow::Error>)> {
    let seen: Vec<Seen> = block_devices()?.iter().filter_map(|path| look(path).ok()).collect();
    let superblocks = || seen.iter().filter_map(|disk| disk.scan.newest.as_ref());
    let uuids: BTreeSet<_> = superblocks().map(|superblock| superblock.set).collect();
    let (mut records, mut incomplete) = (Vec::new(), Vec::new());
    for uuid in uuids {
        let of_set = superblocks().filter(|superblock| superblock.set == uuid);
        let Some(newest) = of_set.max_by_key(|superblock| superblock.generation) else { continue };
        match record_of(newest, &seen) {
            Ok(record) => records.push(record),
            Err(error) => incomplete.push(error),
        }
    }
    Ok((records, incomplete))
}

fn record_of(superblock: &Superblock, seen: &[Seen]) -> Result<Record> {
    let (name, uuid) = (superblock.name.as_str(), superblock.set);
    let main = main_of(superblock, seen)
        .with_context(|| format!("the main disk of the set `{name}` ({uuid}) is not there"))?;
    let mut spares = Vec::new();
    for member in &superblock.members {
        let is_it = |disk: &&Seen| {
            let own = disk.scan.newest.as_ref();
            own.is_some_and(|own| {
                let of_disk = own.members.get(own.member as usize).map(|own| own.uuid);
                own.set == uuid && of_disk == Some(member.uuid)
            })
        };
        let mut found = seen.iter().filter(is_it);
        let (first, other) = (found.next(), found.next());
        match (first, other) {
            (Some(only), None) => spares.push(DiskSpec::Plain(only.path.clone())),
            (Some(one), Some(other)) => {
                return Err(refusal(format!(
                    "{} and {} are the same spare of the set `{name}`: detach the copy",
                    one.path.display(),
                    other.path.display()
                )));
            }
            (None, _) => {
                return Err(refusal(format!("the spare {} of the set `{name}` is not there", member.uuid)));
            }
        }
    }
    let main = DiskSpec::Plain(main);
    let via = Choice::of_machine(spares.iter().chain([&main])).via;
    let spares = spares.iter().map(disks::as_text).collect::<Result<Vec<_>>>()?;
    Ok(Record::new(
        &usable_name(name, &uuid.to_string()),
        uuid.to_string(),
        disks::as_text(&main)?,
        spares,
        via,
    ))
}

/// What a set is called here. A superblock is foreign: what could be a path, or is no name otherwise, is nobody's name.
fn usable_name(name: &str, set: &str) -> String {
    name.parse::<SetName>().map_or_else(|_| set.to_owned(), |name| name.to_string())
}

/// What a spare of a remembered set says of a disk: that it is the set's main disk, or is not. Nothing where no spare is
/// there, or too little is known.
pub fn spare_says(record: &Record, disk: &Seen) -> Option<bool> {
    let spares = record.spares.iter().filter_map(|path| look(Path::new(path)).ok()?.scan.newest);
    let newest = spares.filter(|superblock| superblock.set.to_string() == record.set);
    is_main(&newest.max_by_key(|superblock| superblock.generation)?, disk)
}

/// Whether the disks of a record are where it says.
pub fn is_in_place(record: &Record) -> bool {
    let is_spare = |path: &String| {
        let newest = look(Path::new(path)).ok().and_then(|disk| disk.scan.newest);
        newest.is_some_and(|superblock| superblock.set.to_string() == record.set)
    };
    let is_plain = |text: &String| matches!(disks::parse(text), Ok(DiskSpec::Plain(_)));
    // A disk that fails by a script is nowhere else.
    !record.spares.iter().all(is_plain)
        || record.spares.iter().all(is_spare) && (!is_plain(&record.main) || Path::new(&record.main).exists())
}

#[cfg(test)]
mod tests {
    use super::usable_name;

    #[test]
    fn a_foreign_name_that_could_be_a_path_is_not_used() {
        let uuid = "5573aa38-3ed1-4df3-94ed-c571912a0367";
        for name in ["", "/dev/sda", "../control", "a/b", "-x", "a\nb"] {
            assert_eq!(usable_name(name, uuid), uuid, "{name}");
        }
        assert_eq!(usable_name("photos", uuid), "photos");
    }
}
