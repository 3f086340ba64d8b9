//! A spare more, a spare less. The set is closed meanwhile; a crash at any step leaves the old set or the
//! new one, whole.

use std::path::PathBuf;

use remap_core::format::superblock::Superblock;
use remap_core::open::{FormatError, format_added, open, wipe, write_membership};
use remap_core::plan::PlanError;
use remap_core::port::{Effect, Outcome, Port};
use remap_core::record::Record;
use remap_core::recovery::job::{Job, JobError, JobKind};
use remap_core::recovery::{MAX_BATCH, Recovery, Workspace};
use remap_core::set::MemorySizes;
use remap_core::units::SlotIndex;
use remap_core::{DiskError, SectorRange};

use crate::device::{OpenError, OwnedSet, perform};
use crate::disk::{AlignedBuffer, Disk};

use super::create::{check_block, check_spare, random_uuid};
use super::{Bare, CreateError, DeviceOptions, Members, check_main, identify, path_of, same_disk};

/// Why the spares of a set were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The set is not complete, or not one. Nothing has been written.
    #[error(transparent)]
    Set(#[from] OpenError),
    /// The new spare is refused. Nothing has been written.
    #[error(transparent)]
    Spare(#[from] CreateError),
    /// The figures make no set. Nothing has been written.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Mappings of the set may be of parts that the new spare cannot write by themselves. Nothing has been
    /// written.
    #[error("{} has logical blocks of {logical_bytes} bytes, larger than those of all members: choose another spare, \
             or make a new set", path.display())]
    LargerBlocks {
        /// The disk.
        path: PathBuf,
        /// Its logical block in bytes.
        logical_bytes: u32,
    },
    /// What lies on the spare cannot be carried to the others; it stays a member.
    #[error("{} still holds {blocks} blocks that cannot be carried to the other spares: {error}", path.display())]
    NotEmptied {
        /// The spare.
        path: PathBuf,
        /// How many blocks are left on it.
        blocks: usize,
        /// Why the first of them stays.
        error: JobError,
    },
    /// A member failed while the new membership was being written. The set is the old one or the new one.
    #[error("{} could not be written ({error}): open the set to see whether the change took place", path.display())]
    Write {
        /// The disk.
        path: PathBuf,
        /// How it failed.
        error: DiskError,
    },
}

/// Adds a spare to a set that is not open anywhere, and whose members are all there. Whatever is on `new` is
/// gone. Returns the new superblock.
#[expect(clippy::needless_pass_by_value, reason = "it is the set's from now on, whoever opens that")]
pub fn add_spare(members: &Members, new: Box<dyn Disk>, force: bool) -> Result<Superblock, ChangeError> {
    let (current, mut disks) = complete(members)?;
    let all = disks.iter().copied().chain([&*new]);
    if let Some((one, other)) = same_disk(&*members.main, all) {
        return Err(CreateError::SameDisk { one, other }.into());
    }
    check_block(&*new, current.block_size)?;
    let logical = |disk: &dyn Disk| disk.facts().logical_block_bytes;
    let present = disks.iter().map(|disk| logical(*disk)).chain([current.main.logical_bytes]).max();
    if Some(logical(&*new)) > present {
        return Err(ChangeError::LargerBlocks { path: path_of(&*new), logical_bytes: logical(&*new) });
    }
    let next = current.plan_add(random_uuid()?, new.facts().sectors)?;
    let index = next.members.len() - 1;
    check_spare(&*new, &next, index, force)?;
    disks.push(&*new);
    let bare = Bare { main: None, spares: disks.iter().map(|disk| Some(*disk)).collect() };
    bare.run(async |port: &Port<'_>| format_added(port, &next, index).await)
        .map_err(|error| write_error(&disks, error))?;
    Ok(next)
}

/// Removes spare `index`, in the order of the superblock's members, from a set that is not open anywhere and
/// whose members are all there. What lies on it is carried to the others first; when that is not possible it
/// stays a member. Returns the new superblock.
pub fn remove_spare(members: &Members, index: usize) -> Result<Superblock, ChangeError> {
    let (current, disks) = complete(members)?;
    current.plan_remove(index)?;
    let next = empty_spare(members, &current, &disks, index)?.plan_remove(index)?;
    let mut staying = disks.clone();
    let leaving = staying.remove(index);
    let bare = Bare { main: None, spares: staying.iter().map(|disk| Some(*disk)).collect() };
    bare.run(async |port: &Port<'_>| write_membership(port, &next, 0).await)
        .map_err(|error| write_error(&staying, error))?;
    // From here on it is no member. That it still says so does no harm: the others know better.
    let bare = Bare { main: None, spares: disks.iter().map(|disk| Some(*disk)).collect() };
    bare.run(async |port: &Port<'_>| wipe(port, &current, index).await)
        .map_err(|error| ChangeError::Write { path: path_of(leaving), error })?;
    Ok(next)
}

/// The superblock of a set whose members are all there, and its spares in its order.
fn complete(members: &Members) -> Result<(Superblock, Vec<&dyn Disk>), ChangeError> {
    let (superblock, places) = identify(members)?;
    check_main(&*members.main, &superblock, &DeviceOptions::default())?;
    let mut disks: Vec<Option<&dyn Disk>> = superblock.members.iter().map(|_| None).collect();
    for (disk, place) in members.spares.iter().zip(places) {
        disks[place] = Some(&**disk);
    }
    let missing = disks.iter().position(Option::is_none);
    if let Some((index, member)) = missing.and_then(|index| Some((index, superblock.members.get(index)?))) {
        return Err(ChangeError::Set(OpenError::SpareMissing {
            name: superblock.name.to_string(),
            members: superblock.members.len(),
            missing: disks.iter().skip(index).filter(|disk| disk.is_none()).count(),
            uuid: member.uuid.to_string(),
        }));
    }
    let disks: Vec<&dyn Disk> = disks.into_iter().flatten().collect();
    if let Some(disk) = disks.iter().find(|disk| disk.facts().read_only) {
        return Err(ChangeError::Set(OpenError::ReadOnlyDisk { path: path_of(*disk) }));
    }
    Ok((superblock, disks))
}

fn write_error(disks: &[&dyn Disk], error: FormatError) -> ChangeError {
    let path = disks.get(error.spare).map(|disk| path_of(*disk)).unwrap_or_default();
    ChangeError::Write { path, error: error.error }
}

/// Opens the set, carries everything off one spare, and closes the set again. Returns its superblock then.
fn empty_spare(
    members: &Members,
    superblock: &Superblock,
    disks: &[&dyn Disk],
    index: usize,
) -> Result<Superblock, ChangeError> {
    let engine = |error| ChangeError::Set(OpenError::Engine(error));
    let no_memory = || engine(remap_core::open::OpenError::Memory);
    let present = vec![true; disks.len()];
    let set = OwnedSet::new(superblock, &present).ok_or_else(no_memory)?;
    let words = usize::try_from(MemorySizes::of(superblock).allocator_words).map_err(|_| no_memory())?;
    let mut allocator = vec![0; words];
    let mut workspace = Workspace::new();
    let main = &*members.main;
    let logical = disks.iter().chain([&main]).map(|disk| disk.facts().logical_block_bytes).max();
    let options = remap_core::open::OpenOptions {
        logical_bytes: logical.unwrap_or(0).max(superblock.main.logical_bytes),
        physical_bytes: main.facts().physical_block_bytes,
        ..Default::default()
    };
    // Nobody writes to the set meanwhile. What is known to be on it after a power cut may be out of date.
    let contents = if superblock.clean { superblock.main.filesystem_uuid.as_str() } else { "" };
    let bare = Bare { main: Some(main), spares: disks.iter().map(|disk| Some(*disk)).collect() };
    bare.run(async |port: &Port<'_>| {
        let opening = open(port, set.get(), superblock, &mut allocator, &mut workspace, options);
        let mut recovery = Box::pin(opening).await.map_err(engine)?;
        recovery.drain_spare(index, true);
        let emptied = carry_off(&bare, &mut recovery, index);
        let closed = recovery.close_knowing(port, contents).await.map_err(|error| write_error(disks, error));
        emptied.map_err(|(blocks, error)| ChangeError::NotEmptied {
            path: path_of(disks[index]),
            blocks,
            error,
        })?;
        closed?;
        Ok(recovery.superblock().clone())
    })
}

/// Carries blocks off a draining spare until none is left, or one cannot be carried: how many are left then,
/// and why.
fn carry_off(
    bare: &Bare<'_>,
    recovery: &mut Recovery<'_, '_>,
    index: usize,
) -> Result<(), (usize, JobError)> {
    let mut scratch = AlignedBuffer::zeroed(remap_core::port::SCRATCH_BYTES);
    let port = Port::new(&mut scratch, 0);
    loop {
        let blocks = blocks_on(recovery, index);
        if blocks.is_empty() {
            return Ok(());
        }
        for batch in blocks.chunks(MAX_BATCH) {
            let jobs: Vec<_> =
                batch.iter().map(|range| Job { kind: JobKind::Evacuate, range: *range }).collect();
            let mut outcome = Ok(());
            port.run(recovery.batch(&port, &jobs), |effect, port| {
                if let Effect::Finished { result, .. } = effect {
                    outcome = outcome.and(result);
                }
                Outcome { result: perform(bare, &mut [], effect, port), now_ms: 0 }
            });
            outcome.map_err(|error| (blocks_on(recovery, index).len(), error))?;
        }
    }
}

/// The blocks that have their slot on a spare.
fn blocks_on(recovery: &Recovery<'_, '_>, index: usize) -> Vec<SectorRange> {
    let set = recovery.set();
    let block_size = set.block_size();
    (0..set.table().slots())
        .map(SlotIndex)
        .filter(|slot| set.spare_of(*slot).is_some_and(|(spare, _)| spare == index))
        .filter_map(|slot| match set.table().record(slot) {
            Record::Used { block, .. } => {
                let start = block_size.first_sector(block);
                let sectors = u64::from(block_size.sectors()).min(set.sectors() - start.0);
                Some(SectorRange::new(start, sectors))
            }
            Record::Free | Record::Retired => None,
        })
        .collect()
}
