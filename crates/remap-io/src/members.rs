//! The disks that make up a set: finding out what they are, putting them together, making and changing sets.
//!
//! Everything here happens while no set is running. What may be overwritten is decided here; what is written
//! then, and in which order, is `remap-core`'s.

use std::path::PathBuf;

use remap_core::format::superblock::Superblock;
use remap_core::open::{CopyState, SuperblockScan, read_superblocks};
use remap_core::port::{Device, Outcome, Port};

use crate::device::{Bench, OpenError, perform};
use crate::disk::{AlignedBuffer, Disk, DiskFacts};

mod change;
mod contents;
mod create;
pub(crate) mod identity;
mod signatures;

pub use change::{ChangeError, add_spare, remove_spare};
pub(crate) use contents::Contents;
pub use create::{CreateError, CreateOptions, create};
pub use signatures::{Finding, find_signature};

/// The disks of a set.
#[derive(Debug)]
pub struct Members {
    /// The failing one.
    pub main: Box<dyn Disk>,
    /// The ones that lend room, in any order.
    pub spares: Vec<Box<dyn Disk>>,
}

/// How to open a set. The default is for reading and writing, and accepts nothing unusual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own to the operator")]
pub struct DeviceOptions {
    /// Write nothing, neither to the main device nor to the spares.
    pub read_only: bool,
    /// Go on although the main device is not the one that the set was made for, unless it is smaller. When the
    /// set is opened for writing, it is this device's from then on.
    pub accept_other_main: bool,
    /// Only with `read_only`: go on although no copy of some map pages is valid, so that which blocks they
    /// mapped is unknown, and reads of those return what the main device holds.
    pub accept_lost_pages: bool,
    /// Only with `read_only`: go on although spares are missing; what was moved there reads as lost.
    pub accept_missing_spares: bool,
}

/// What the superblock copies of a disk say. The disk need not be a spare.
pub fn scan(disk: &dyn Disk) -> SuperblockScan {
    let bare = Bare { main: None, spares: vec![Some(disk)] };
    bare.run(async |port: &Port<'_>| read_superblocks(port, Device::Spare(0)).await)
}

/// The UUID of what a disk holds that tells it from others, as `blkid` shows it; empty when there is none that is
/// known. Of a main disk, parts may have moved: what its set was told then is not found here.
pub fn contents_uuid(disk: &dyn Disk) -> String {
    let facts = disk.facts();
    let read = |start, into: &mut [u8]| disk.read(start, into);
    Contents::look(facts.sectors, facts.logical_block_bytes, read).id().to_owned()
}

/// Disks without a running set.
pub(crate) struct Bare<'d> {
    pub main: Option<&'d dyn Disk>,
    pub spares: Vec<Option<&'d dyn Disk>>,
}

impl Bench for Bare<'_> {
    fn disk(&self, device: Device) -> Option<&dyn Disk> {
        match device {
            Device::Main => self.main,
            Device::Spare(index) => *self.spares.get(index)?,
        }
    }
}

impl Bare<'_> {
    /// Runs one of the engine's procedures that need no running set to its end.
    pub fn run<R>(&self, procedure: impl AsyncFnOnce(&Port<'_>) -> R) -> R {
        let mut scratch = AlignedBuffer::zeroed(1 << 20);
        let port = Port::new(&mut scratch, 0);
        port.run(procedure(&port), |effect, port| Outcome {
            result: perform(self, &mut [], effect, port),
            now_ms: 0,
        })
    }
}

/// Members that belong together.
pub(crate) struct Assembly {
    pub main: Box<dyn Disk>,
    /// In the order of the superblock's members.
    pub spares: Vec<Option<Box<dyn Disk>>>,
    /// The newest of all.
    pub superblock: Superblock,
}

/// Finds out which spare is which, and refuses what does not belong together.
pub(crate) fn assemble(members: Members) -> Result<Assembly, OpenError> {
    let (superblock, places) = identify(&members)?;
    let mut spares: Vec<_> = superblock.members.iter().map(|_| None).collect();
    for (disk, place) in members.spares.into_iter().zip(places) {
        spares[place] = Some(disk);
    }
    Ok(Assembly { main: members.main, spares, superblock })
}

/// The newest superblock of all, and which of its members each spare is.
pub(crate) fn identify(members: &Members) -> Result<(Superblock, Vec<usize>), OpenError> {
    if let Some((one, other)) = same_disk(&*members.main, members.spares.iter().map(|spare| &**spare)) {
        return Err(OpenError::SameDisk { one, other });
    }
    let mut found = Vec::new();
    for disk in &members.spares {
        let scan = scan(&**disk);
        match (scan.refusal(), scan.newest) {
            (None, Some(superblock)) => found.push(superblock),
            (refusal, _) => {
                return Err(OpenError::NotASpare { path: path_of(&**disk), reason: reason_of(refusal) });
            }
        }
    }
    let newest = found.iter().max_by_key(|superblock| superblock.generation);
    let newest = newest.cloned().ok_or(OpenError::NoSpare)?;
    let mut places = Vec::new();
    for (disk, own) in members.spares.iter().zip(&found) {
        let path = path_of(&**disk);
        if own.set != newest.set {
            return Err(OpenError::OtherSet { path, name: own.name.to_string(), uuid: own.set.to_string() });
        }
        let uuid = own.members.get(own.member as usize).map(|member| member.uuid);
        let place = newest.members.iter().position(|member| Some(member.uuid) == uuid);
        let Some((place, member)) = place.and_then(|place| Some((place, newest.members.get(place)?))) else {
            return Err(OpenError::NoMember { path, name: newest.name.to_string() });
        };
        let sectors = disk.facts().sectors;
        if sectors < member.sectors {
            return Err(OpenError::SpareShrunk { path, sectors, expected: member.sectors });
        }
        if let Some(earlier) = places.iter().position(|taken| *taken == place) {
            let one = path_of(&*members.spares[earlier]);
            return Err(OpenError::Copy { one, other: path });
        }
        places.push(place);
    }
    Ok((newest, places))
}

fn reason_of(refusal: Option<CopyState>) -> String {
    match refusal {
        Some(CopyState::Invalid(error)) => error.to_string(),
        Some(CopyState::Unreadable(error)) => format!("no superblock copy can be read ({error})"),
        Some(CopyState::Valid(_)) | None => "no superblock was found".into(),
    }
}

/// The first two disks that are one.
pub(crate) fn same_disk<'d>(
    main: &'d dyn Disk,
    spares: impl Iterator<Item = &'d dyn Disk>,
) -> Option<(PathBuf, PathBuf)> {
    let mut seen = vec![main];
    for spare in spares {
        if let Some(other) = seen.iter().find(|other| other.identity() == spare.identity()) {
            return Some((path_of(*other), path_of(spare)));
        }
        seen.push(spare);
    }
    None
}

/// How a disk is called when there is something to say about it.
pub(crate) fn path_of(disk: &dyn Disk) -> PathBuf {
    disk.path().map_or_else(|| PathBuf::from("a disk in memory"), Into::into)
}

/// Refuses a main device that is not the one that the set was made for, unless it is accepted. Returns whether
/// it is another one.
pub(crate) fn check_main(
    main: &dyn Disk,
    superblock: &Superblock,
    options: &DeviceOptions,
) -> Result<bool, OpenError> {
    let facts = main.facts();
    // Neither a smaller one nor one that takes only larger requests can be the set's, whoever accepts it.
    let can_be_accepted = facts.sectors >= superblock.main.sectors
        && facts.logical_block_bytes <= superblock.main.logical_bytes;
    match main_difference(facts, superblock) {
        Some(_) if options.accept_other_main && can_be_accepted => Ok(true),
        Some(difference) => Err(OpenError::OtherMain {
            path: path_of(main),
            name: superblock.name.to_string(),
            difference,
            can_be_accepted,
        }),
        None => Ok(false),
    }
}

/// What tells `main` from the disk that the set was made for.
fn main_difference(main: &DiskFacts, superblock: &Superblock) -> Option<String> {
    let known = &superblock.main;
    if main.sectors != known.sectors {
        return Some(format!(
            "it has {} sectors, and the set was made for one of {}",
            main.sectors, known.sectors
        ));
    }
    if main.logical_block_bytes > known.logical_bytes {
        return Some(format!(
            "it has logical blocks of {} bytes, and the set was made for one of {}",
            main.logical_block_bytes, known.logical_bytes
        ));
    }
    let differs = |what: &str, now: &str, then: &str| {
        let both_known = !now.is_empty() && !then.is_empty();
        (both_known && now != then).then(|| format!("its {what} is {now}, and the set was made for {then}"))
    };
    let now = identity::of(main, None);
    differs("serial number", &now.serial, &known.serial)
        .or_else(|| differs("WWN", &now.wwn, &known.wwn))
        .or_else(|| differs("partition UUID", &now.partition_uuid, &known.partition_uuid))
}

#[cfg(test)]
mod tests;
