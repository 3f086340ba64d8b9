//! A set as its readers see it: where each sector lives, and what state the set is in.
//!
//! Everything here is shared and wait-free to read. Only [`Recovery`](crate::recovery::Recovery) changes it.

use crate::counters::Counters;
use crate::filter::RegionFilter;
use crate::format::superblock::{MAX_SPARES, Superblock};
use crate::gauges::Gauges;
use crate::held::HeldRanges;
use crate::layout::{RECORDS_PER_PAGE, SpareLayout};
use crate::map::{MapTable, Mapping};
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use crate::units::{BlockSize, Sector, SectorRange, SlotIndex};
use arrayvec::ArrayVec;

/// What the set does with requests and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SetState {
    /// Errors of the main device are recovered.
    Active = 0,
    /// The main device answers nowhere: errors pass through, nothing is remapped.
    Failing = 1,
    /// Nothing is written any more: opened so, or the metadata can no longer be written.
    ReadOnly = 2,
}

/// What is known of a spare's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SpareState {
    /// In use.
    Present = 0,
    /// Not given at opening: what it holds reads as lost.
    Missing = 1,
    /// Stopped answering: requests to it fail, no slot of it is given out.
    Offline = 2,
    /// About to be removed: no slot of it is given out.
    Draining = 3,
}

/// One spare as the set uses it.
#[derive(Debug)]
pub struct SpareView {
    /// Where things lie on it.
    pub layout: SpareLayout,
    /// The set's number of its first slot.
    pub first_slot: u32,
    /// How many of its slots are in use.
    pub slots: u32,
    state: AtomicU8,
}

impl SpareView {
    /// What is known of its health.
    pub fn state(&self) -> SpareState {
        match self.state.load(Ordering::Acquire) {
            0 => SpareState::Present,
            1 => SpareState::Missing,
            2 => SpareState::Offline,
            _ => SpareState::Draining,
        }
    }

    pub(crate) fn change_state(&self, state: SpareState) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// Whether the spare takes writes: slots' data and metadata.
    pub fn is_writable(&self) -> bool {
        matches!(self.state(), SpareState::Present | SpareState::Draining)
    }
}

/// Where a run of sectors lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// On the main device, at the same place.
    Main,
    /// On a spare, from `start` on.
    Spare {
        /// Which spare.
        index: usize,
        /// The spare's own sector.
        start: Sector,
    },
    /// Nowhere: reading fails with a medium error, writing goes through recovery.
    Lost,
    /// Held by recovery: wait for the release, then ask again.
    Busy,
}

/// The longest prefix of a range that goes to one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it lives.
    pub target: Target,
    /// How long it is, in sectors; at least 1.
    pub sectors: u64,
}

/// The set is read-only: nothing of the request may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOnlySet;

/// Memory for the readers' structures, all of it zeroed; sizes by [`SetMemory::sizes`].
#[derive(Debug, Clone, Copy)]
pub struct SetMemory<'a> {
    /// For the region filter.
    pub filter: &'a [AtomicU64],
    /// For the map table's records.
    pub records: &'a [AtomicU64],
    /// For the map table's index.
    pub index: &'a [AtomicU32],
}

/// How much memory a set needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySizes {
    /// `u64` words of the region filter.
    pub filter_words: u64,
    /// `u64` words of the map table's records.
    pub record_words: u64,
    /// `u32` cells of the map table's index.
    pub index_cells: u64,
    /// `u64` words of the spare allocator.
    pub allocator_words: u64,
}

impl MemorySizes {
    /// What the set of `superblock` needs.
    pub fn of(superblock: &Superblock) -> Self {
        let slots = superblock.records();
        Self {
            filter_words: RegionFilter::words_for(superblock.main.sectors),
            record_words: MapTable::record_words(slots),
            index_cells: MapTable::index_cells(slots),
            allocator_words: slots.div_ceil(64),
        }
    }
}

/// The set, shared by everyone who serves requests.
#[derive(Debug)]
pub struct Set<'a> {
    filter: RegionFilter<'a>,
    pub(crate) table: MapTable<'a>,
    /// What recovery holds.
    pub held: HeldRanges,
    /// What happened so far, outside the healthy path.
    pub counters: Counters,
    /// How much is mapped now.
    pub gauges: Gauges,
    block_size: BlockSize,
    sectors: u64,
    lost_reads_zero: bool,
    spares: ArrayVec<SpareView, MAX_SPARES>,
    state: AtomicU8,
}

impl<'a> Set<'a> {
    /// An empty set of the shape that `superblock` tells. `present` tells which spares are there. `None`
    /// when the memory is smaller than [`MemorySizes::of`] says, or the superblock is not valid.
    pub fn new(superblock: &Superblock, present: &[bool], memory: SetMemory<'a>) -> Option<Self> {
        let sizes = MemorySizes::of(superblock);
        let enough = memory.filter.len() as u64 >= sizes.filter_words
            && memory.records.len() as u64 >= sizes.record_words
            && memory.index.len() as u64 >= sizes.index_cells;
        if !enough {
            return None;
        }
        let mut spares = ArrayVec::new();
        for (index, member) in superblock.members.iter().enumerate() {
            let state = match present.get(index) {
                Some(true) => SpareState::Present,
                _ => SpareState::Missing,
            };
            let view = SpareView {
                layout: superblock.layout_of(member)?,
                first_slot: member.first_page.checked_mul(RECORDS_PER_PAGE)?,
                slots: member.slots,
                state: AtomicU8::new(state as u8),
            };
            spares.try_push(view).ok()?;
        }
        Some(Self {
            filter: RegionFilter::new(memory.filter),
            table: MapTable::new(memory.records, memory.index),
            held: HeldRanges::default(),
            counters: Counters::default(),
            gauges: Gauges::default(),
            block_size: superblock.block_size,
            sectors: superblock.main.sectors,
            lost_reads_zero: superblock.lost_reads_zero,
            spares,
            state: AtomicU8::new(SetState::Active as u8),
        })
    }

    /// The main device's size, and the set's.
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// The unit of remapping.
    pub fn block_size(&self) -> BlockSize {
        self.block_size
    }

    /// Whether lost sectors are to be read as zeros instead of failing.
    pub fn lost_reads_zero(&self) -> bool {
        self.lost_reads_zero
    }

    /// The spares, in the order in which they are filled.
    pub fn spares(&self) -> &[SpareView] {
        &self.spares
    }

    /// The map table, to look at.
    pub fn table(&self) -> &MapTable<'a> {
        &self.table
    }

    /// What state the set is in.
    pub fn state(&self) -> SetState {
        match self.state.load(Ordering::Acquire) {
            0 => SetState::Active,
            1 => SetState::Failing,
            _ => SetState::ReadOnly,
        }
    }

    pub(crate) fn change_state(&self, state: SetState) {
        self.state.store(state as u8, Ordering::SeqCst);
    }

    pub(crate) fn mark_region(&self, sector: Sector) {
        self.filter.insert(sector);
    }

    /// Which spare `slot` is on, and its number there.
    #[inline]
    pub fn spare_of(&self, slot: SlotIndex) -> Option<(usize, u32)> {
        self.spares.iter().enumerate().find_map(|(index, spare)| {
            let local = slot.0.checked_sub(spare.first_slot)?;
            (local < spare.slots).then_some((index, local))
        })
    }

    /// Which spare `slot` is on, and its first sector there.
    #[inline]
    pub fn slot_address(&self, slot: SlotIndex) -> Option<(usize, Sector)> {
        let (index, local) = self.spare_of(slot)?;
        Some((index, self.spares.get(index)?.layout.slot_address(local)))
    }

    /// Where the longest prefix of `range` lives that lives in one place. `range` must not be empty and must
    /// lie within the set.
    ///
    /// The caller has announced the request before (see [`HeldRanges`]) and takes the announcement back once
    /// the piece's IO is done, or at once when the answer is [`Target::Busy`].
    #[inline]
    pub fn resolve(&self, range: SectorRange) -> Piece {
        if self.held.touches(range) {
            return self.resolve_held(range);
        }
        if !self.filter.may_map(range) {
            return Piece { target: Target::Main, sectors: range.sectors };
        }
        self.resolve_mapped(range)
    }

    /// Whether the region filter alone tells that nothing of `range` is mapped. For counting.
    #[inline]
    pub fn passes_filter(&self, range: SectorRange) -> bool {
        !self.filter.may_map(range)
    }

    /// The same as [`resolve`](Self::resolve) for a request that changes something: refused in a set that is read-only, whatever it was when
    /// the request began. A set becomes read-only before the blocks are released whose records on disk are
    /// uncertain; asked after the hold, as here, no write can slip through between the two.
    #[inline]
    pub fn resolve_write(&self, range: SectorRange) -> Result<Piece, ReadOnlySet> {
        let piece = self.resolve(range);
        if self.state.load(Ordering::SeqCst) == SetState::ReadOnly as u8 {
            return Err(ReadOnlySet);
        }
        Ok(piece)
    }

    /// Something in `range` is held; what comes before it may go ahead.
    #[cold]
    fn resolve_held(&self, range: SectorRange) -> Piece {
        let mut free = range.sectors;
        self.held.for_each(|held| {
            if let Some(shared) = held.intersection(range) {
                free = free.min(shared.start.0 - range.start.0);
            }
        });
        if free == 0 {
            return Piece { target: Target::Busy, sectors: range.sectors };
        }
        self.resolve_mapped(SectorRange::new(range.start, free))
    }

    #[inline]
    fn resolve_mapped(&self, range: SectorRange) -> Piece {
        let first = self.resolve_in_block(range);
        let mut piece = first;
        while piece.sectors < range.sectors {
            let rest = SectorRange::new(Sector(range.start.0 + piece.sectors), range.sectors - piece.sectors);
            let next = self.resolve_in_block(rest);
            let continues = match (first.target, next.target) {
                (Target::Main, Target::Main) | (Target::Lost, Target::Lost) => true,
                (Target::Spare { index, start }, Target::Spare { index: other, start: behind }) => {
                    index == other && start.0 + piece.sectors == behind.0
                }
                _ => false,
            };
            if !continues {
                break;
            }
            piece.sectors += next.sectors;
        }
        piece
    }

    /// Resolves the part of `range` that lies in its first block.
    #[inline]
    fn resolve_in_block(&self, range: SectorRange) -> Piece {
        let offset = self.block_size.offset_of(range.start);
        let room = u64::from(self.block_size.sectors() - offset).min(range.sectors);
        let Some(mapping) = self.table.lookup(self.block_size.block_of(range.start)) else {
            return Piece { target: Target::Main, sectors: room };
        };
        self.resolve_mapping(mapping, offset, room)
    }

    #[inline]
    fn resolve_mapping(&self, mapping: Mapping, offset: u32, room: u64) -> Piece {
        let moved = u32::from(mapping.masks.moved) >> offset;
        let lost = u32::from(mapping.masks.lost) >> offset;
        let run = |mask: u32| u64::from(mask.trailing_ones()).min(room);
        if moved & 1 != 0 {
            let sectors = run(moved);
            let target = match self.slot_address(mapping.slot) {
                Some((index, base))
                    if self.spares.get(index).is_some_and(|s| s.state() != SpareState::Missing) =>
                {
                    Target::Spare { index, start: Sector(base.0 + u64::from(offset)) }
                }
                _ => Target::Lost,
            };
            return Piece { target, sectors };
        }
        if lost & 1 != 0 {
            return Piece { target: Target::Lost, sectors: run(lost) };
        }
        Piece { target: Target::Main, sectors: run(!(moved | lost)) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
