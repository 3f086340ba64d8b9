//! Loading: from the map pages of all spares to a table that serves.

use crate::allocator::SlotAllocator;
use crate::format::page::Page;
use crate::format::superblock::Superblock;
use crate::layout::{PAGE_BYTES, PAGE_SECTORS, RECORDS_PER_PAGE};
use crate::open::FormatError;
use crate::port::{Device, Effect, Place, Port};
use crate::record::{Record, is_newer};
use crate::recovery::{Granularity, Recovery, Workspace};
use crate::set::{Set, SetState, SpareState};
use crate::units::{SECTOR_SHIFT, SlotIndex};
use arrayvec::ArrayVec;
use core::fmt;

/// How many pages are looked at together, at most.
pub(super) const WINDOW: usize = 256;

/// How far the generation goes on with every opening. A copy of a later generation than any that was read may
/// have failed to be read just now; what is written from here on must not be taken for the same version.
const OPENING_STEP: u64 = 1024;

/// How many pages with damaged copies are remembered one by one; more, and all pages are verified.
const MAX_DAMAGED: usize = 256;

/// How to open a set.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Write nothing, neither to the main device nor to the spares.
    pub read_only: bool,
    /// Only with `read_only`: go on although map pages are lost and which blocks they mapped is unknown.
    pub accept_lost_pages: bool,
    /// The largest logical block of all members, in bytes.
    pub logical_bytes: u32,
    /// The main device's physical block, in bytes.
    pub physical_bytes: u32,
}

/// Why a set was not opened. Nothing has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The memory given is too small, or not for this set.
    Memory,
    /// A spare is missing, and the set was to be opened for writing.
    SpareMissing(usize),
    /// No copy of a map page is valid: which blocks it mapped is unknown.
    PageLost {
        /// The first such page.
        page: u32,
        /// How many there are.
        count: u32,
    },
    /// The logical block of a member is larger than the unit of remapping.
    BlockTooSmall,
    /// A spare's superblocks could not be written.
    Write(FormatError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("not enough memory for the set's tables"),
            Self::SpareMissing(index) => write!(
                f,
                "spare {index} of the set is missing; without it the set opens read-only, and what was moved there reads as lost"
            ),
            Self::PageLost { page, count } => write!(
                f,
                "no copy of map page {page} is valid ({count} such pages): which blocks it mapped is unknown"
            ),
            Self::BlockTooSmall => {
                f.write_str("a member has larger logical blocks than the set's unit of remapping")
            }
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {}

/// Loads the mappings of `superblock`'s set into `set`, which was made from it and is still empty, repairs
/// what is damaged and marks the set as in use. `allocator` is memory of
/// [`MemorySizes::allocator_words`](crate::set::MemorySizes).
pub async fn open<'s, 'm>(
    port: &Port<'_>,
    set: &'s Set<'m>,
    superblock: &Superblock,
    allocator: &'m mut [u64],
    workspace: &'m mut Workspace,
    options: OpenOptions,
) -> Result<Recovery<'s, 'm>, OpenError> {
    load(port, set, superblock, allocator, workspace, options).await?.begin(port).await
}

/// The first half of [`open`], which writes nothing: afterwards `set` tells where each sector is read.
pub async fn load<'s, 'm>(
    port: &Port<'_>,
    set: &'s Set<'m>,
    superblock: &Superblock,
    allocator: &'m mut [u64],
    workspace: &'m mut Workspace,
    options: OpenOptions,
) -> Result<Loaded<'s, 'm>, OpenError> {
    if (allocator.len() as u64) < superblock.records().div_ceil(64) {
        return Err(OpenError::Memory);
    }
    let granularity = Granularity {
        logical: (options.logical_bytes >> SECTOR_SHIFT).max(1),
        physical: (options.physical_bytes.max(options.logical_bytes) >> SECTOR_SHIFT)
            .clamp(1, set.block_size().sectors()),
    };
    if granularity.logical > set.block_size().sectors() {
        return Err(OpenError::BlockTooSmall);
    }
    let missing = set.spares().iter().position(|spare| spare.state() == SpareState::Missing);
    if let (Some(index), false) = (missing, options.read_only) {
        return Err(OpenError::SpareMissing(index));
    }
    let Workspace { changes, bad_copies, superblock: kept, loading } = workspace;
    let LoadingLists { damaged, window } = loading;
    let mut loader =
        Loader { set, superblock, generation: 0, damaged, all_damaged: false, lost: None, window };
    loader.read_pages(port).await;
    if let Some((page, count)) = loader.lost
        && !(options.read_only && options.accept_lost_pages)
    {
        return Err(OpenError::PageLost { page, count });
    }
    let Loader { generation, damaged, all_damaged, .. } = loader;
    let allocator = SlotAllocator::new(allocator);
    let generation = generation.saturating_add(OPENING_STEP);
    let kept = kept.insert(superblock.clone());
    let mut recovery = Recovery::new(set, kept, allocator, (changes, bad_copies), generation, granularity);
    if options.read_only {
        set.change_state(SetState::ReadOnly);
    }
    let duplicates = recovery.index_loaded().map_err(|()| OpenError::Memory)?;
    Ok(Loaded { recovery, damaged, all_damaged, duplicates })
}

/// A set whose mappings are known and of which nothing has been written yet.
#[derive(Debug)]
pub struct Loaded<'s, 'm> {
    recovery: Recovery<'s, 'm>,
    damaged: &'m ArrayVec<u32, MAX_DAMAGED>,
    all_damaged: bool,
    /// How many slots hold an older record of a block.
    duplicates: u32,
}

impl<'s, 'm> Loaded<'s, 'm> {
    /// Has the set remember what is on it now, by its UUID; see
    /// [`MainIdentity`](crate::format::superblock::MainIdentity).
    pub fn note_filesystem(&mut self, uuid: &str) {
        self.recovery.note_filesystem(uuid);
    }

    /// The second half of [`open`]: repairs what is damaged and marks the set as in use.
    pub async fn begin(self, port: &Port<'_>) -> Result<Recovery<'s, 'm>, OpenError> {
        let Self { mut recovery, damaged, all_damaged, duplicates } = self;
        let is_writable = recovery.set().state() != SetState::ReadOnly;
        if is_writable {
            for page in 0..recovery.superblock().pages() {
                if all_damaged || damaged.contains(&page) {
                    recovery.verify_page(port, page).await;
                }
            }
        }
        if duplicates > 0 {
            recovery.free_duplicates(port).await;
        }
        if is_writable {
            recovery.mark_open(port).await.map_err(OpenError::Write)?;
        }
        recovery.find_places(port).await;
        Ok(recovery)
    }
}

/// What is known of one page after some of its copies.
#[derive(Clone, Copy, Debug)]
struct Best {
    generation: Option<u64>,
    agreeing: u32,
}

impl Best {
    const NOTHING: Self = Self { generation: None, agreeing: 0 };
}

struct Loader<'l, 'm> {
    set: &'l Set<'m>,
    superblock: &'l Superblock,
    generation: u64,
    damaged: &'m mut ArrayVec<u32, MAX_DAMAGED>,
    all_damaged: bool,
    lost: Option<(u32, u32)>,
    window: &'l mut [Best; WINDOW],
}

/// What loading keeps in mind; a part of the caller's [`Workspace`].
#[derive(Debug)]
pub(crate) struct LoadingLists {
    damaged: ArrayVec<u32, MAX_DAMAGED>,
    window: [Best; WINDOW],
}

impl LoadingLists {
    pub const fn new() -> Self {
        Self { damaged: ArrayVec::new_const(), window: [Best::NOTHING; WINDOW] }
    }
}

impl Loader<'_, '_> {
    async fn read_pages(&mut self, port: &Port<'_>) {
        let window = super::scratch_pages(port) as u32;
        let pages = self.superblock.pages();
        for first in (0..pages).step_by(window as usize) {
            let count = window.min(pages - first);
            self.window.fill(Best::NOTHING);
            let mut copies = 0;
            for (index, spare) in self.set.spares().iter().enumerate() {
                if spare.state() == SpareState::Missing {
                    continue;
                }
                for copy in 0..self.superblock.copies {
                    copies += 1;
                    let start = spare.layout.page_address(copy, first);
                    self.read_window(port, index, start, first, count).await;
                }
            }
            self.judge(first, count, copies);
        }
    }

    /// Reads a run of pages of one copy; one by one where the run cannot be read.
    async fn read_window(
        &mut self,
        port: &Port<'_>,
        spare: usize,
        start: crate::units::Sector,
        first: u32,
        count: u32,
    ) {
        let device = Device::Spare(spare);
        let into = Place::Scratch { offset: 0 };
        let sectors = u64::from(count) * PAGE_SECTORS;
        if port.call(Effect::Read { device, start, sectors, into }).await.is_ok() {
            for at in 0..count {
                self.take(port, first, at, at as usize * PAGE_BYTES);
            }
            return;
        }
        for at in 0..count {
            let start = crate::units::Sector(start.0 + u64::from(at) * PAGE_SECTORS);
            if port.call(Effect::Read { device, start, sectors: PAGE_SECTORS, into }).await.is_ok() {
                self.take(port, first, at, 0);
            }
        }
    }

    /// Looks at one copy of page `first + at`, which lies at byte `offset` of scratch memory.
    fn take(&mut self, port: &Port<'_>, first: u32, at: u32, offset: usize) {
        let page = first + at;
        // A removed member has left pages behind, of slots that retired with it.
        if self.superblock.owner_of(page).is_none() {
            return;
        }
        port.with_scratch(|scratch| {
            let bytes = scratch.get(offset..).unwrap_or_default();
            let (set, sectors) = (self.superblock.set, self.set.sectors());
            let Ok(parsed) = Page::parse(bytes, set, page, self.set.block_size(), sectors) else { return };
            let slot = |record: u32| SlotIndex(page * RECORDS_PER_PAGE + record);
            let stray = |record: &u32| {
                parsed.record(*record) != Record::Free && self.set.spare_of(slot(*record)).is_none()
            };
            if (0..RECORDS_PER_PAGE).any(|record| stray(&record)) {
                return;
            }
            let Some(best) = self.window.get_mut(at as usize) else { return };
            let generation = parsed.header.generation;
            // A copy that was repaired is of a later generation than the others, and says the same.
            let says_the_same =
                || (0..RECORDS_PER_PAGE).all(|at| self.set.table.record(slot(at)) == parsed.record(at));
            if best.generation == Some(generation) || (best.generation.is_some() && says_the_same()) {
                best.agreeing += 1;
                best.generation = best.generation.max(Some(generation));
                self.generation = self.generation.max(generation);
                return;
            }
            if best.generation.is_some_and(|known| known > generation) {
                return;
            }
            *best = Best { generation: Some(generation), agreeing: 1 };
            self.generation = self.generation.max(generation);
            for record in 0..RECORDS_PER_PAGE {
                self.set.table.store_record(slot(record), parsed.record(record));
            }
        });
    }

    fn judge(&mut self, first: u32, count: u32, copies: u32) {
        for (at, best) in self.window.iter().take(count as usize).enumerate() {
            let page = first + at as u32;
            if self.superblock.owner_of(page).is_none() {
                continue;
            }
            if best.generation.is_none() {
                let (first_lost, lost) = self.lost.unwrap_or((page, 0));
                self.lost = Some((first_lost, lost + 1));
            } else if best.agreeing != copies {
                self.set.counters.metadata_errors.add(u64::from(copies - best.agreeing));
                self.all_damaged |= self.damaged.try_push(page).is_err();
            }
        }
    }
}

impl Recovery<'_, '_> {
    /// Enters the loaded records into index, filter and allocator. Of two records of one block the later
    /// counts. Returns how many slots hold an older one; they stay taken.
    fn index_loaded(&mut self) -> Result<u32, ()> {
        let set = self.set();
        let mut duplicates = 0;
        for number in 0..set.table.slots() {
            let slot = SlotIndex(number);
            match set.table.record(slot) {
                Record::Free => {}
                Record::Retired => {
                    self.take_slot(slot);
                    set.gauges.retired.add(1);
                }
                Record::Used { block, masks, version } => {
                    self.take_slot(slot);
                    let Err(other) = set.table.insert_loaded(slot) else {
                        set.mark_region(set.block_size().first_sector(block));
                        set.gauges.replace(None, Some(masks));
                        continue;
                    };
                    let Record::Used { masks: other_masks, version: other_version, .. } =
                        set.table.record(other)
                    else {
                        return Err(());
                    };
                    duplicates += 1;
                    if is_newer(version, other_version) {
                        set.table.relink(other, slot);
                        set.gauges.replace(Some(other_masks), Some(masks));
                    }
                }
            }
        }
        Ok(duplicates)
    }

    /// Frees the slots that hold an older record of a block, durably unless the set is read-only.
    async fn free_duplicates(&mut self, port: &Port<'_>) {
        let set = self.set();
        for number in 0..set.table.slots() {
            let slot = SlotIndex(number);
            if let Record::Used { block, .. } = set.table.record(slot)
                && set.table.lookup(block).is_some_and(|mapping| mapping.slot != slot)
            {
                self.free_duplicate(port, slot).await;
            }
        }
        self.settle_duplicates(port).await;
    }
}
