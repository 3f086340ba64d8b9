//! One life of a set: formatted, used, cut off, opened again, and at last read from end to end.

use crate::profile::Profile;
use crate::world::{Tally, World};
use crate::{Checked, Violation, check};
use arrayvec::ArrayString;
use fastrand::Rng;
use remap_core::format::superblock::{MainIdentity, Superblock};
use remap_core::open::{self, OpenError, OpenOptions};
use remap_core::plan::NewSet;
use remap_core::port::{Device, Effect, Port, Step};
use remap_core::record::Record;
use remap_core::recovery::{MAX_BATCH, Recovery, Workspace};
use remap_core::set::{MemorySizes, Set, SetMemory};
use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange, SlotIndex};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, AtomicU64};
use uuid::Uuid;

/// What a life came to, up to its end or its violation.
#[derive(Debug)]
pub struct Life {
    /// What happened.
    pub tally: Tally,
    /// The promise that was broken, if one was.
    pub outcome: Checked,
}

/// Memory that the engine works in, afresh for each boot.
struct Memory {
    filter: Vec<AtomicU64>,
    records: Vec<AtomicU64>,
    index: Vec<AtomicU32>,
    allocator: Vec<u64>,
    workspace: Workspace,
}

impl Memory {
    fn of(superblock: &Superblock) -> Self {
        let sizes = MemorySizes::of(superblock);
        Self {
            filter: (0..sizes.filter_words).map(|_| AtomicU64::new(0)).collect(),
            records: (0..sizes.record_words).map(|_| AtomicU64::new(0)).collect(),
            index: (0..sizes.index_cells).map(|_| AtomicU32::new(0)).collect(),
            allocator: vec![0; sizes.allocator_words as usize],
            workspace: Workspace::new(),
        }
    }
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Cut,
    Done,
}

/// Lives one life of about `operations` requests, all of it drawn from `seed`.
///
/// With `trace`, tells on standard error what happens to that sector.
pub fn live(seed: u64, operations: u64, trace: Option<u64>) -> Life {
    let mut rng = Rng::with_seed(seed);
    let profile = Profile::draw(&mut rng);
    let mut world = World::new(profile, rng);
    world.tally.lives = 1;
    world.trace = trace;
    let outcome = whole_life(&mut world, operations);
    Life { tally: world.tally, outcome }
}

fn whole_life(world: &mut World, operations: u64) -> Checked {
    let superblock = plan(world)?;
    let mut scratch = vec![0; 32 * 4096];
    let port = Port::new(&mut scratch, world.now_ms);
    let formatted = drive(world, None, &port, pin!(open::format(&port, &superblock)))?;
    check!(matches!(formatted, Some(Ok(()))), "formatting failed: {formatted:?}");
    for boot_number in 0..world.profile.boots {
        if world.tally.operations >= operations {
            break;
        }
        let events = world.profile.events_per_boot;
        world.cut_at = world.now + u64::from(world.rng.u32(1..events));
        // Behind a clean closing, too: what was closed must not need the power.
        boot(world, boot_number == 0)?;
        world.tally.power_cuts += 1;
        world.power_cut();
    }
    world.cut_at = u64::MAX;
    read_everything(world)
}

fn plan(world: &mut World) -> Checked<Superblock> {
    let mut uuid = || Uuid::from_u128(world.rng.u128(..));
    let set = uuid();
    let spares: Vec<_> =
        world.profile.spares.iter().map(|sectors| (Uuid::from_u128(world.rng.u128(..)), *sectors)).collect();
    let main = MainIdentity {
        sectors: world.profile.main_sectors,
        logical_bytes: 512,
        physical_bytes: world.profile.physical as u32 * 512,
        ..MainIdentity::default()
    };
    let new = NewSet {
        set,
        name: ArrayString::default(),
        main,
        spares: &spares,
        block_size: world.profile.block_size,
        copies: world.profile.copies,
        lost_reads_zero: false,
        creator: 0,
        created_unix_s: 0,
    };
    Superblock::plan(&new).map_err(|error| Violation(format!("no plan for {:?}: {error}", world.profile)))
}

/// Runs a procedure while nothing else happens; `None` when the power was cut in it.
fn drive<F: Future>(
    world: &mut World,
    set: Option<&Set<'_>>,
    port: &Port<'_>,
    mut procedure: Pin<&mut F>,
) -> Checked<Option<F::Output>> {
    loop {
        if world.cut_is_due() {
            return Ok(None);
        }
        match port.step(procedure.as_mut()) {
            Step::Done(output) => return Ok(Some(output)),
            Step::Effect(effect) => port.answer(world.perform(set, port, effect)?),
            Step::Stuck => check!(false, "a procedure waits for nothing"),
        }
    }
}

/// Finds the set on its spares, as any driver does.
fn find(world: &mut World, port: &Port<'_>) -> Checked<Option<Superblock>> {
    let mut newest: Option<Superblock> = None;
    for spare in 0..world.profile.spares.len() {
        let scan = drive(world, None, port, pin!(open::read_superblocks(port, Device::Spare(spare))))?;
        let Some(scan) = scan else { return Ok(None) };
        let Some(found) = scan.newest else {
            check!(false, "spare {spare} has no valid superblock: {:?}", scan.copies);
            return Ok(None);
        };
        check!(found.member as usize == spare, "spare {spare} says it is spare {}", found.member);
        if newest.as_ref().is_none_or(|newest| newest.generation < found.generation) {
            newest = Some(found);
        }
    }
    Ok(newest)
}

fn boot(world: &mut World, first: bool) -> Checked {
    let mut scratch = vec![0; 32 * 4096];
    let port = Port::new(&mut scratch, world.now_ms);
    let Some(superblock) = find(world, &port)? else {
        world.tally.cuts_in_opening += 1;
        return Ok(());
    };
    let mut memory = Memory::of(&superblock);
    let shared = SetMemory { filter: &memory.filter, records: &memory.records, index: &memory.index };
    let present = vec![true; superblock.members.len()];
    let Some(set) = Set::new(&superblock, &present, shared) else {
        return Err(Violation("a valid superblock makes no set".into()));
    };
    if first && world.profile.bad_page_copies {
        world.break_page_copies(&set);
    }
    let physical_bytes = world.profile.physical as u32 * 512;
    let options = OpenOptions { logical_bytes: 512, physical_bytes, ..OpenOptions::default() };
    let opening = open::open(&port, &set, &superblock, &mut memory.allocator, &mut memory.workspace, options);
    let opened: Option<Result<Recovery<'_, '_>, OpenError>> = drive(world, Some(&set), &port, pin!(opening))?;
    let mut recovery = match opened {
        Some(Ok(recovery)) => recovery,
        Some(Err(error)) => return Err(Violation(format!("the set does not open: {error}"))),
        None => {
            world.tally.cuts_in_opening += 1;
            return Ok(());
        }
    };
    check_tables(&set)?;
    while !world.cut_is_due() {
        let waiting = world.jobs.len();
        if waiting > 0 && world.rng.u8(..4) == 0 {
            if run_batch(world, &set, &port, &mut recovery)? == End::Cut {
                world.tally.cuts_in_recovery += 1;
                return Ok(());
            }
        } else if world.rng.u16(..600) == 0 {
            let page = world.rng.u32(..recovery.superblock().pages());
            if drive(world, Some(&set), &port, pin!(recovery.verify_page(&port, page)))?.is_none() {
                return Ok(());
            }
        } else {
            world.step(&set)?;
        }
    }
    if world.rng.u8(..8) == 0 && world.disks.iter().all(|disk| disk.dead.is_none()) {
        return close(world, &set, &port, &mut recovery);
    }
    Ok(())
}

/// Lets everything that is under way end, and closes the set.
fn close(world: &mut World, set: &Set<'_>, port: &Port<'_>, recovery: &mut Recovery<'_, '_>) -> Checked {
    world.cut_at = u64::MAX;
    let depth = std::mem::replace(&mut world.profile.depth, 0);
    let orders = std::mem::replace(&mut world.profile.order_every, 0);
    let mut turns = 0;
    while !(world.requests.is_empty() && world.jobs.is_empty()) {
        if !world.jobs.is_empty() {
            run_batch(world, set, port, recovery)?;
        }
        world.step(set)?;
        turns += 1;
        check!(turns < 1_000_000, "requests never end: {:?}", world.requests);
    }
    world.profile.depth = depth;
    world.profile.order_every = orders;
    if world.disks.iter().any(|disk| disk.dead.is_some()) {
        return Ok(());
    }
    let closed = drive(world, Some(set), port, pin!(recovery.close(port)))?;
    check!(matches!(closed, Some(Ok(()))), "closing failed: {closed:?}");
    // What was closed is durable: a power cut behind it takes nothing.
    let now = world.tick();
    world.model.flushed(now);
    Ok(())
}

/// One batch of recovery, with the rest of the world going on between its effects.
fn run_batch(
    world: &mut World,
    set: &Set<'_>,
    port: &Port<'_>,
    recovery: &mut Recovery<'_, '_>,
) -> Checked<End> {
    let count = world.rng.usize(1..=MAX_BATCH);
    let jobs = world.take_batch(count);
    let mut procedure = pin!(recovery.batch(port, &jobs));
    let mut waiting: Option<Effect> = None;
    let pace = world.rng.u8(1..6);
    let mut turns = 0;
    loop {
        if world.cut_is_due() {
            return Ok(End::Cut);
        }
        turns += 1;
        check!(turns < 1_000_000, "recovery never ends: {waiting:?}, {:?}", world.requests);
        if world.rng.u8(..pace) != 0 {
            world.step(set)?;
        }
        match waiting {
            Some(effect) if world.can_perform(set, effect) => {
                port.answer(world.perform(Some(set), port, effect)?);
                waiting = None;
            }
            Some(_) => world.step(set)?,
            None => match port.step(procedure.as_mut()) {
                Step::Effect(effect) => waiting = Some(effect),
                Step::Done(()) => break,
                Step::Stuck => check!(false, "recovery waits for nothing"),
            },
        }
    }
    world.batch = None;
    check_tables(set)?;
    Ok(End::Done)
}

/// What must be true of the tables whenever nothing changes them.
fn check_tables(set: &Set<'_>) -> Checked {
    let (mut mapped, mut moved, mut lost, mut retired) = (0, 0, 0, 0);
    for number in 0..set.table().slots() {
        let slot = SlotIndex(number);
        match set.table().record(slot) {
            Record::Free => {}
            Record::Retired => retired += 1,
            Record::Used { block, masks, .. } => {
                mapped += 1;
                moved += u64::from(masks.moved.count_ones());
                lost += u64::from(masks.lost.count_ones());
                let found = set.table().lookup(block);
                check!(
                    found.is_some_and(|mapping| mapping.slot == slot),
                    "slot {number} is used for block {} which is mapped to {found:?}",
                    block.0
                );
            }
        }
    }
    let gauges = &set.gauges;
    let shown = (gauges.mapped.value(), gauges.moved.value(), gauges.lost.value(), gauges.retired.value());
    check!(
        shown == (mapped, moved, lost, retired),
        "gauges {shown:?}, counted {:?}",
        (mapped, moved, lost, retired)
    );
    Ok(())
}

/// Opens the set once more and reads every sector by itself.
fn read_everything(world: &mut World) -> Checked {
    world.profile.death_every = 0;
    world.profile.spare_death_every = 0;
    let mut scratch = vec![0; 32 * 4096];
    let port = Port::new(&mut scratch, world.now_ms);
    let Some(superblock) = find(world, &port)? else { return Ok(()) };
    let mut memory = Memory::of(&superblock);
    let shared = SetMemory { filter: &memory.filter, records: &memory.records, index: &memory.index };
    let present = vec![true; superblock.members.len()];
    let Some(set) = Set::new(&superblock, &present, shared) else {
        return Err(Violation("a valid superblock makes no set".into()));
    };
    let options = OpenOptions { logical_bytes: 512, physical_bytes: 512, ..OpenOptions::default() };
    let opening = open::open(&port, &set, &superblock, &mut memory.allocator, &mut memory.workspace, options);
    let opened = drive(world, Some(&set), &port, pin!(opening))?;
    check!(matches!(opened, Some(Ok(_))), "the set does not open at the end");
    for sector in 0..world.profile.main_sectors {
        let range = SectorRange::new(Sector(sector), 1);
        let mut bytes = vec![0; SECTOR_BYTES];
        let now = world.tick();
        let result = match set.resolve(range).target {
            remap_core::set::Target::Main => world.disks[0].read(sector, &mut bytes),
            remap_core::set::Target::Spare { index, start } => {
                world.disks[1 + index].read(start.0, &mut bytes)
            }
            remap_core::set::Target::Lost => Err(DiskError::Medium),
            remap_core::set::Target::Busy => {
                return Err(Violation(format!("sector {sector} is held forever")));
            }
        };
        if result.is_ok() {
            world.model.check_read(range, &bytes, now, now)?;
        } else {
            check!(
                world.model.failure_is_allowed(range, now),
                "sector {sector} is unreadable at the end, though nothing happened to it"
            );
        }
    }
    Ok(())
}
