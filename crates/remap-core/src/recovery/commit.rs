//! Commit and publish: changes become durable in an order that leaves a valid version at every instant.
//!
//! 1. The slot data is flushed: no map page ever points at data that is not there.
//! 2. Step one, page by page: one copy on each spare, flush, the other copies, flush. A power cut tears at
//!    most copies that are not needed.
//! 3. The changes are published to readers.
//! 4. Step two, the same for slots that a block has left: while both records are there, the later version
//!    counts.

use super::changes::{Change, Step};
use super::{PAGE_AT, Recovery};
use crate::error::DiskError;
use crate::format::page::{self, PageHeader};
use crate::format::superblock::MAX_SPARES;
use crate::layout::{PAGE_BYTES, PAGE_SECTORS, RECORDS_PER_PAGE};
use crate::port::{Device, Effect, Place, Port};
use crate::record::Record;
use crate::set::{SetState, SpareView};
use crate::units::{Sector, SlotIndex};
use arrayvec::ArrayVec;

/// Why a commit failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// A spare did not make slot data durable and is offline now. Nothing was committed; the work can be
    /// done again without it.
    SpareFailed,
    /// No spare took the map pages. What lies on them is uncertain, so nothing may be written any more.
    Metadata,
    /// The main device did not make durable what had to be.
    Main,
}

/// One copy of one page on one spare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CopyAt {
    spare: usize,
    copy: u32,
    page: u32,
}

/// How many bad copies are remembered before the spare counts as unfit for metadata.
const MAX_BAD_COPIES: usize = 64;

/// Copies of pages that cannot be written.
#[derive(Debug, Default)]
pub struct BadCopies {
    list: ArrayVec<CopyAt, MAX_BAD_COPIES>,
}

impl BadCopies {
    pub const fn new() -> Self {
        Self { list: ArrayVec::new_const() }
    }

    fn contains(&self, spare: usize, copy: u32, page: u32) -> bool {
        self.list.contains(&CopyAt { spare, copy, page })
    }

    /// Remembers a copy; `false` when there is no room.
    pub fn insert(&mut self, spare: usize, copy: u32, page: u32) -> bool {
        self.contains(spare, copy, page) || self.list.try_push(CopyAt { spare, copy, page }).is_ok()
    }

    /// Forgets a copy that was written after all.
    pub fn remove(&mut self, spare: usize, copy: u32, page: u32) {
        self.list.retain(|bad| *bad != CopyAt { spare, copy, page });
    }

    /// How many bad copies there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

/// Which copies of a page to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copies {
    /// One that can be written, while another good one still holds the old version.
    First,
    /// All others.
    Rest,
}

impl Recovery<'_, '_> {
    /// Makes slot data and changes durable and publishes them.
    pub(super) async fn commit(&mut self, port: &Port<'_>) -> Result<(), CommitError> {
        if let Err(error) = self.flush_slots(port).await {
            self.abandon_changes();
            return Err(error);
        }
        if self.changes.is_empty() {
            return Ok(());
        }
        self.set.counters.commits.add(1);
        for step in [Step::First, Step::Second] {
            if self.changes.next_page(None, step).is_none() {
                continue;
            }
            if let Err(error) = self.write_pages(port, step).await {
                self.changes.clear();
                self.enter_state(port, SetState::ReadOnly).await;
                return Err(error);
            }
            self.publish(step);
        }
        self.changes.clear();
        Ok(())
    }

    /// Flushes every spare that slot data was written to.
    async fn flush_slots(&mut self, port: &Port<'_>) -> Result<(), CommitError> {
        let mut outcome = Ok(());
        for index in 0..MAX_SPARES {
            if !self.unflushed.get_mut(index).is_some_and(core::mem::take) {
                continue;
            }
            self.set.counters.flushes.add(1);
            if port.call(Effect::Flush { device: Device::Spare(index) }).await.is_err() {
                self.spare_went_offline(port, index).await;
                outcome = Err(CommitError::SpareFailed);
            }
        }
        outcome
    }

    /// Forgets the changes of the batch: nothing of them has been written to a map page.
    fn abandon_changes(&mut self) {
        let set = self.set;
        for change in self.changes.iter() {
            let before = set.table.record(change.slot);
            if before == Record::Free && change.step == Step::First {
                self.allocator.release(change.slot);
            }
        }
        self.changes.clear();
    }

    async fn write_pages(&mut self, port: &Port<'_>, step: Step) -> Result<(), CommitError> {
        self.generation += 1;
        let mut good: [bool; MAX_SPARES] =
            core::array::from_fn(|index| self.set.spares().get(index).is_some_and(SpareView::is_writable));
        for copies in [Copies::First, Copies::Rest] {
            let mut page = self.changes.next_page(None, step);
            while let Some(number) = page {
                self.encode_page(port, number, Some(step));
                for (index, good) in good.iter_mut().enumerate() {
                    if *good {
                        *good = self.write_copies(port, index, number, copies).await;
                    }
                }
                page = self.changes.next_page(page, step);
            }
            for (index, good) in good.iter_mut().enumerate() {
                if *good {
                    *good = self.flush_metadata(port, index).await;
                }
            }
            if !good.contains(&true) {
                return Err(CommitError::Metadata);
            }
        }
        Ok(())
    }

    async fn flush_metadata(&mut self, port: &Port<'_>, index: usize) -> bool {
        self.set.counters.flushes.add(1);
        let flushed = port.call(Effect::Flush { device: Device::Spare(index) }).await.is_ok();
        if !flushed {
            self.set.counters.metadata_errors.add(1);
            self.spare_went_offline(port, index).await;
        }
        flushed
    }

    /// Builds page `number` in scratch memory: the table's records, with the changes of `step` applied.
    pub(super) fn encode_page(&self, port: &Port<'_>, number: u32, step: Option<Step>) {
        let header = PageHeader { set: self.superblock.set, index: number, generation: self.generation };
        let first = number.saturating_mul(RECORDS_PER_PAGE);
        port.with_scratch(|scratch| {
            let Some(bytes) = scratch.get_mut(PAGE_AT..).and_then(<[u8]>::first_chunk_mut::<PAGE_BYTES>)
            else {
                return;
            };
            page::begin(bytes, header);
            for at in 0..RECORDS_PER_PAGE {
                let record = self.set.table.record(SlotIndex(first.saturating_add(at)));
                if record != Record::Free {
                    page::put_record(bytes, at, record);
                }
            }
            for change in self.changes.iter().filter(|change| Some(change.step) == step) {
                if change.slot.0 / RECORDS_PER_PAGE == number {
                    page::put_record(bytes, change.slot.0 % RECORDS_PER_PAGE, change.record);
                }
            }
            page::seal(bytes);
        });
    }

    /// Writes copies of the page in scratch memory to one spare. `false` when the spare does not have the new
    /// version, or the last old one would have to be risked.
    async fn write_copies(&mut self, port: &Port<'_>, spare: usize, page: u32, copies: Copies) -> bool {
        let total = self.superblock.copies;
        let Some(first) = self.first_good_copy(spare, page) else { return false };
        if copies == Copies::Rest {
            for copy in (first + 1)..total {
                if !self.bad_copies.contains(spare, copy, page)
                    && !self.write_copy(port, spare, copy, page).await
                {
                    return false;
                }
            }
            return true;
        }
        for copy in first..total {
            if self.bad_copies.contains(spare, copy, page) {
                continue;
            }
            if self.good_copies(page) < 2 {
                return false;
            }
            if !self.write_copy(port, spare, copy, page).await {
                return false;
            }
            if !self.bad_copies.contains(spare, copy, page) {
                return true;
            }
        }
        false
    }

    fn first_good_copy(&self, spare: usize, page: u32) -> Option<u32> {
        (0..self.superblock.copies).find(|copy| !self.bad_copies.contains(spare, *copy, page))
    }

    /// How many copies of a page can be written, on all spares.
    fn good_copies(&self, page: u32) -> usize {
        let writable = self.set.spares().iter().enumerate().filter(|(_, spare)| spare.is_writable());
        writable
            .map(|(index, _)| {
                (0..self.superblock.copies)
                    .filter(|copy| !self.bad_copies.contains(index, *copy, page))
                    .count()
            })
            .sum()
    }

    /// Writes one copy. A copy that cannot be written is remembered as bad; `false` only when the whole spare
    /// is of no use.
    pub(super) async fn write_copy(&mut self, port: &Port<'_>, spare: usize, copy: u32, page: u32) -> bool {
        let Some(start) = self.page_address(spare, copy, page) else { return false };
        self.set.counters.page_writes.add(1);
        let effect = Effect::Write {
            device: Device::Spare(spare),
            start,
            sectors: PAGE_SECTORS,
            from: Place::Scratch { offset: PAGE_AT },
        };
        match port.call(effect).await {
            Ok(()) => true,
            Err(error) => self.copy_failed(port, spare, copy, page, error).await,
        }
    }

    /// Deals with a copy that cannot be written; `true` when the spare still answers.
    pub(super) async fn copy_failed(
        &mut self,
        port: &Port<'_>,
        spare: usize,
        copy: u32,
        page: u32,
        error: DiskError,
    ) -> bool {
        self.set.counters.metadata_errors.add(1);
        if !self.spare_is_alive(port, Some(spare), error).await {
            return false;
        }
        if self.bad_copies.insert(spare, copy, page) {
            return true;
        }
        self.spare_went_offline(port, spare).await;
        false
    }

    pub(super) fn page_address(&self, spare: usize, copy: u32, page: u32) -> Option<Sector> {
        self.set.spares().get(spare).map(|view| view.layout.page_address(copy, page))
    }

    /// Shows the durable changes of one step to readers.
    fn publish(&mut self, step: Step) {
        let set = self.set;
        for Change { slot, record, .. } in self.changes.iter().filter(|change| change.step == step) {
            let gauges = &set.gauges;
            match *record {
                Record::Used { block, masks, version } => {
                    let before = set.table.lookup(block).map(|mapping| mapping.masks);
                    set.mark_region(set.block_size().first_sector(block));
                    set.table.insert(block, *slot, masks, version);
                    gauges.replace(before, Some(masks));
                }
                Record::Free | Record::Retired => {
                    if let Record::Used { block, masks, .. } = set.table.record(*slot)
                        && set.table.lookup(block).is_some_and(|mapping| mapping.slot == *slot)
                    {
                        set.table.remove(block);
                        gauges.replace(Some(masks), None);
                    }
                    set.table.store_record(*slot, *record);
                    match record {
                        Record::Retired => gauges.retired.add(1),
                        _ => self.allocator.release(*slot),
                    }
                }
            }
        }
    }
}
