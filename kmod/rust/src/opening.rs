//! From devices to a running engine: format or load, after everything has been checked.

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU64;

use arrayvec::ArrayVec;
use remap_core::format::superblock::Superblock;
use remap_core::open::{
    FormatError, OpenError, OpenOptions, format, format_added, open, wipe, write_membership,
};
use remap_core::port::{Port, SCRATCH_BYTES};
use remap_core::recovery::job::Job;
use remap_core::recovery::{MAX_BATCH, Recovery, Workspace};
use remap_core::set::{MemorySizes, Set, SetMemory};

use crate::abi::{self, Params};
use crate::assembly::{Assembly, Found, find, no_memory, plan};
use crate::blank::first_data;
use crate::drive::Bench;
use crate::engine::{Engine, Tables, Writer};
use crate::glue::{self, ABSENT, Glue};
use crate::memory::{Allocation, Arena, Placed, Room};
use crate::text::{Text, say, until_zero};
use remap_core::trend::Trend;
use uuid::Uuid;

/// Scratch memory while opening: 256 map pages at a time.
const OPENING_SCRATCH: usize = 1 << 20;

static EMPTY: Workspace = Workspace::new();
static NO_TREND: Trend = Trend::new();
static NO_JOBS: ArrayVec<Job, MAX_BATCH> = ArrayVec::new_const();

/// Opens the set that the devices form, or makes one of blank spares. `None` with the reason in `why`; nothing
/// was written then, unless the reason says so.
pub fn open_set(glue: Glue, params: &Params, why: &mut Text<'_>) -> Option<Placed<Engine>> {
    let mut opening = no_memory(Opening::new(glue, params), why)?;
    opening.check_params(why)?;
    let mut memory = no_memory(Allocation::zeroed(OPENING_SCRATCH), why)?;
    // SAFETY: used by the port only, which goes before the memory does.
    let port = Port::new(unsafe { memory.slice_mut() }, glue::now_ms());
    let found = find(glue, params, &mut opening.arena, &port, why)?;
    let mut assembly = match found {
        Found::Nothing => opening.make(&port, why)?,
        Found::Set(assembly) if params.options & abi::OPTION_REMOVE != 0 => {
            opening.remove(&port, assembly, why)?
        }
        Found::Set(assembly) => assembly,
        Found::SetAndBlank(assembly, place) => opening.add(&port, assembly, place, why)?,
    };
    opening.check_main(&mut assembly, why)?;
    opening.load(&port, &assembly, why)
}

struct Opening<'p> {
    glue: Glue,
    params: &'p Params,
    arena: Arena,
}

impl<'p> Opening<'p> {
    fn new(glue: Glue, params: &'p Params) -> Option<Self> {
        Some(Self { glue, params, arena: Arena::new()? })
    }

    fn has(&self, option: u32) -> bool {
        self.params.options & option != 0
    }

    /// The largest logical block of all members, in bytes.
    fn logical_bytes(&self) -> u32 {
        let spares = self.params.spares.iter().take(self.params.spare_count as usize);
        spares.map(|spare| spare.logical_bytes).max().unwrap_or(0).max(self.params.main_logical_bytes)
    }

    #[inline(never)]
    fn check_params(&self, why: &mut Text<'_>) -> Option<()> {
        if self.has(abi::OPTION_ACCEPT_LOST_PAGES) && !self.has(abi::OPTION_READ_ONLY) {
            say!(why, "accept_lost_pages goes with read_only only");
            return None;
        }
        if self.has(abi::OPTION_ACCEPT_MISSING_SPARES) && !self.has(abi::OPTION_READ_ONLY) {
            say!(why, "accept_missing_spares goes with read_only only");
            return None;
        }
        Some(())
    }

    fn bench<'b>(&self, assembly: &'b Assembly) -> Bench<'b> {
        Bench { glue: self.glue, places: &assembly.places, block_size: assembly.superblock.get().block_size }
    }

    /// Makes a new set of blank spares.
    #[inline(never)]
    fn make(&mut self, port: &Port<'_>, why: &mut Text<'_>) -> Option<Assembly> {
        if self.has(abi::OPTION_READ_ONLY) {
            say!(why, "no set lies on the spares, and one cannot be made read-only");
            return None;
        }
        let assembly = plan(self.params, why)?;
        let superblock = assembly.superblock.get();
        self.check_block(superblock, why)?;
        for (index, place) in assembly.places.iter().enumerate() {
            self.check_blank(port, superblock, index, *place, why)?;
        }
        let bench = self.bench(&assembly);
        let formatted = bench.run(&mut self.arena, port, || format(port, superblock));
        written(formatted, &assembly, "could not be formatted", why)?;
        Some(assembly)
    }

    #[inline(never)]
    fn check_block(&self, superblock: &Superblock, why: &mut Text<'_>) -> Option<()> {
        if self.logical_bytes() as usize > superblock.block_size.bytes() {
            say!(
                why,
                "a member has logical blocks of {} bytes, more than the remap block: give a larger block_size",
                self.logical_bytes()
            );
            return None;
        }
        Some(())
    }

    #[inline(never)]
    fn check_blank(
        &self,
        port: &Port<'_>,
        superblock: &Superblock,
        index: usize,
        place: u8,
        why: &mut Text<'_>,
    ) -> Option<()> {
        if self.has(abi::OPTION_FORCE) {
            return Some(());
        }
        let found =
            port.with_scratch(|scratch| first_data(self.glue, u32::from(place), superblock, index, scratch));
        match found {
            Ok(None) => Some(()),
            Ok(Some(sector)) => {
                say!(
                    why,
                    "spare {place} is not blank (data at sector {sector}): wipe it, or overwrite it with the option force"
                );
                None
            }
            Err((sector, error)) => {
                say!(why, "spare {place} cannot be read at sector {sector} ({error})");
                None
            }
        }
    }

    /// Makes a blank spare a member.
    #[inline(never)]
    fn add(
        &mut self,
        port: &Port<'_>,
        mut assembly: Assembly,
        place: u8,
        why: &mut Text<'_>,
    ) -> Option<Assembly> {
        if assembly.places.contains(&ABSENT) {
            say!(why, "a spare can be added only when all others are there");
            return None;
        }
        let random = self.params.random.first_chunk::<16>().copied().unwrap_or_default();
        let uuid = uuid::Builder::from_random_bytes(random).into_uuid();
        let given = self.params.spares.get(usize::from(place).checked_sub(1)?)?;
        assembly.superblock = planned_addition(assembly.superblock.get(), uuid, given.sectors, why)?;
        assembly.places.try_push(place).ok()?;
        let superblock = assembly.superblock.get();
        self.check_block(superblock, why)?;
        let index = superblock.members.len().checked_sub(1)?;
        self.check_blank(port, superblock, index, place, why)?;
        let bench = self.bench(&assembly);
        let added = bench.run(&mut self.arena, port, || format_added(port, superblock, index));
        written(added, &assembly, "could not be written", why)?;
        Some(assembly)
    }

    /// Lets the last given spare, which is empty, leave the set.
    #[inline(never)]
    fn remove(&mut self, port: &Port<'_>, mut assembly: Assembly, why: &mut Text<'_>) -> Option<Assembly> {
        let index = assembly.places.iter().position(|place| u32::from(*place) == self.params.spare_count)?;
        let next = planned_removal(assembly.superblock.get(), index, why)?;
        let before = assembly.superblock;
        let mut places = assembly.places.clone();
        places.remove(index);
        let all = core::mem::replace(&mut assembly.places, places);
        assembly.superblock = next;
        let superblock = assembly.superblock.get();
        let bench = self.bench(&assembly);
        let changed = bench.run(&mut self.arena, port, || write_membership(port, superblock, 0));
        written(changed, &assembly, "could not be written", why)?;
        // It is no member from here on; that it cannot be wiped is no reason to refuse the others.
        let bench = Bench { places: &all, ..bench };
        let _ = bench.run(&mut self.arena, port, || wipe(port, before.get(), index));
        Some(assembly)
    }

    /// Refuses another main device than the set was made for, unless it is accepted.
    #[inline(never)]
    fn check_main(&self, assembly: &mut Assembly, why: &mut Text<'_>) -> Option<()> {
        let known = &assembly.superblock.get().main;
        let (sectors, logical) = (self.params.main_sectors, self.params.main_logical_bytes);
        let partition = until_zero(&self.params.partition_uuid);
        let accepted = self.has(abi::OPTION_ACCEPT_OTHER_MAIN);
        if sectors < known.sectors {
            say!(why, "the main device has {sectors} sectors, and the set was made for {}", known.sectors);
            return None;
        }
        if logical > known.logical_bytes {
            say!(
                why,
                "the main device has logical blocks of {logical} bytes, and the set was made for {}",
                known.logical_bytes
            );
            return None;
        }
        if sectors > known.sectors && !accepted && !self.has(abi::OPTION_GROW) {
            say!(
                why,
                "the main device has {sectors} sectors, and the set was made for {}: give the option grow if it has grown, or accept_other_main",
                known.sectors
            );
            return None;
        }
        let differs = !partition.is_empty() && !known.partition_uuid.is_empty();
        if differs && partition != known.partition_uuid.as_str() && !accepted {
            say!(
                why,
                "the main device is partition {partition}, and the set was made for {}: give the option accept_other_main if that is right",
                known.partition_uuid
            );
            return None;
        }
        let superblock = assembly.superblock.get_mut();
        if self.has(abi::OPTION_GROW) {
            superblock.main.sectors = sectors;
        }
        if self.has(abi::OPTION_ON_LOST_ERROR | abi::OPTION_ON_LOST_ZERO) {
            superblock.lost_reads_zero = self.has(abi::OPTION_ON_LOST_ZERO);
        }
        // A device that was accepted is the set's from then on, and what is not known of it is nothing.
        if differs && partition != superblock.main.partition_uuid.as_str() {
            superblock.main.serial.clear();
            superblock.main.wwn.clear();
            superblock.main.filesystem_uuid.clear();
        }
        if !partition.is_empty()
            && let Ok(partition) = partition.try_into()
        {
            superblock.main.partition_uuid = partition;
        }
        if let Ok(path) = until_zero(&self.params.main_path).try_into() {
            superblock.main.path = path;
        }
        Some(())
    }

    #[inline(never)]
    fn load(&mut self, port: &Port<'_>, assembly: &Assembly, why: &mut Text<'_>) -> Option<Placed<Engine>> {
        let superblock = assembly.superblock.get();
        let away = assembly.places.iter().filter_map(|place| (*place == ABSENT).then_some(())).count();
        if away > 0 && !self.has(abi::OPTION_ACCEPT_MISSING_SPARES) {
            say!(
                why,
                "{away} of the {} spares of the set {} are missing: name all, or open it with read_only and accept_missing_spares",
                superblock.members.len(),
                superblock.set
            );
            return None;
        }
        for (given, stored, name) in [
            (self.params.block_sectors, superblock.block_size.sectors(), "block_size"),
            (self.params.copies, superblock.copies, "copies"),
        ] {
            if given != 0 && given != stored {
                say!(why, "the set has {name} {stored}, and it cannot be changed: leave the option out");
                return None;
            }
        }
        let options = OpenOptions {
            read_only: self.has(abi::OPTION_READ_ONLY),
            accept_lost_pages: self.has(abi::OPTION_ACCEPT_LOST_PAGES),
            logical_bytes: self.logical_bytes().max(superblock.main.logical_bytes),
            physical_bytes: self.params.main_physical_bytes,
        };
        let mut tables = no_memory(tables_of(superblock), why)?;
        let present: ArrayVec<bool, 16> = assembly.places.iter().map(|place| *place != ABSENT).collect();
        // SAFETY: the engine drops the set and the writer before the tables, see `Engine`.
        let filter = unsafe { tables.filter.slice() };
        // SAFETY: as above.
        let records = unsafe { tables.records.slice() };
        // SAFETY: as above.
        let index = unsafe { tables.index.slice() };
        let memory = SetMemory { filter, records, index };
        let set = no_memory(set_of(superblock, &present, memory), why)?;
        // SAFETY: only the writer uses it, and goes before it.
        let workspace = unsafe { tables.workspace.copy_of(&EMPTY) };
        // SAFETY: as above.
        let allocator: &'static mut [u64] = unsafe { tables.allocator.slice_mut() };
        // SAFETY: as above; everybody has shared references only.
        let shared: &'static Set<'static> = unsafe { set.pointer().as_ref() };
        let bench = self.bench(assembly);
        let opened = bench
            .run(&mut self.arena, port, || open(port, shared, superblock, allocator, workspace, options));
        let recovery = match opened {
            Ok(recovery) => recovery,
            Err(error) => {
                say_open_error(why, error, &assembly.places);
                return None;
            }
        };
        self.engine(assembly, recovery, set, tables, why)
    }

    /// Puts together what is needed from here on.
    #[inline(never)]
    fn engine(
        &mut self,
        assembly: &Assembly,
        recovery: Recovery<'static, 'static>,
        set: Placed<Set<'static>>,
        tables: Tables,
        why: &mut Text<'_>,
    ) -> Option<Placed<Engine>> {
        let superblock = assembly.superblock.get();
        let mut scratch = no_memory(Allocation::zeroed(SCRATCH_BYTES), why)?;
        // SAFETY: only the port uses it, and goes before it.
        let port = Port::new(unsafe { scratch.slice_mut() }, glue::now_ms());
        let arena = no_memory(Arena::new(), why)?;
        let generation = AtomicU64::new(recovery.generation());
        let places = assembly.places.clone();
        // SAFETY: plain values, which own nothing.
        let trend = no_memory(unsafe { Placed::copy_of(&NO_TREND) }, why)?;
        // SAFETY: as above.
        let jobs = no_memory(unsafe { Placed::copy_of(&NO_JOBS) }, why)?;
        let writer = Writer { recovery, port, arena, trend, jobs };
        let engine = Engine {
            writer: UnsafeCell::new(writer),
            set,
            places,
            name: superblock.name,
            uuid: superblock.set,
            members: superblock.members.iter().map(|member| (member.uuid, member.sectors)).collect(),
            glue: self.glue,
            read_only: self.has(abi::OPTION_READ_ONLY),
            pages: superblock.pages(),
            generation,
            bad_copies: AtomicU64::new(0),
            errors_last_hour: AtomicU64::new(0),
            errors_hour_before: AtomicU64::new(0),
            scratch,
            tables,
        };
        no_memory(Placed::new(engine), why)
    }
}

#[inline(never)]
fn set_of(
    superblock: &Superblock,
    present: &[bool],
    memory: SetMemory<'static>,
) -> Option<Placed<Set<'static>>> {
    Set::new(superblock, present, memory).and_then(Placed::new)
}

#[inline(never)]
fn planned_addition(
    superblock: &Superblock,
    uuid: Uuid,
    sectors: u64,
    why: &mut Text<'_>,
) -> Option<Placed<Superblock>> {
    match superblock.plan_add(uuid, sectors) {
        Ok(next) => no_memory(Placed::new(next), why),
        Err(error) => {
            say!(why, "{error}");
            None
        }
    }
}

#[inline(never)]
fn planned_removal(superblock: &Superblock, index: usize, why: &mut Text<'_>) -> Option<Placed<Superblock>> {
    match superblock.plan_remove(index) {
        Ok(next) => no_memory(Placed::new(next), why),
        Err(error) => {
            say!(why, "{error}");
            None
        }
    }
}

#[inline(never)]
fn tables_of(superblock: &Superblock) -> Option<Tables> {
    let sizes = MemorySizes::of(superblock);
    Some(Tables {
        filter: Allocation::of::<u64>(sizes.filter_words)?,
        records: Allocation::of::<u64>(sizes.record_words)?,
        index: Allocation::of::<core::sync::atomic::AtomicU32>(sizes.index_cells)?,
        allocator: Allocation::of::<u64>(sizes.allocator_words)?,
        workspace: Room::new()?,
    })
}

fn written(
    result: Result<(), FormatError>,
    assembly: &Assembly,
    what: &str,
    why: &mut Text<'_>,
) -> Option<()> {
    let Err(FormatError { spare, error }) = result else { return Some(()) };
    let place = assembly.places.get(spare).copied().unwrap_or_default();
    say!(why, "spare {place} {what}: {error}");
    None
}

fn say_open_error(why: &mut Text<'_>, error: OpenError, places: &[u8]) {
    match error {
        OpenError::PageLost { .. } => {
            say!(why, "{error}; what is left can be read with the options read_only and accept_lost_pages");
        }
        OpenError::Write(FormatError { spare, error }) => {
            let place = places.get(spare).copied().unwrap_or_default();
            say!(why, "spare {place} could not be marked as in use: {error}");
        }
        error => say!(why, "{error}"),
    }
}
