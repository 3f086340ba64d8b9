//! Putting sectors into slots: the block's own, or another when that fails.

use super::changes::{CHANGES_PER_BLOCK, Step};
use super::job::JobError;
use super::{Recovery, Source, in_block, runs, units};
use crate::error::DiskError;
use crate::map::Mapping;
use crate::port::{Device, Effect, Event, Place, Port};
use crate::record::{Masks, Record};
use crate::set::SpareView;
use crate::units::{BlockIndex, Sector, SlotIndex, mask_of};

/// What becomes of a slot that a block has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It failed.
    Retire,
    /// It is good, the block was carried away on request.
    Free,
}

/// What is to be stored for a block.
#[derive(Clone, Copy, Debug)]
pub struct Storing {
    /// The block.
    pub block: BlockIndex,
    /// Where it is mapped now.
    pub current: Option<Mapping>,
    /// Sectors to be written to its slot.
    pub mask: u16,
    /// Where their data comes from.
    pub source: Source,
    /// Sectors found lost, to be recorded; none of `mask`.
    pub lost: u16,
    /// Moved sectors that have already been read from the present slot into scratch memory.
    pub read: u16,
    /// Set when the block has to leave its present slot in any case.
    pub leave: Option<Leaving>,
}

/// How many fresh slots may fail for one block before the write is given up.
const FRESH_SLOTS: usize = CHANGES_PER_BLOCK - 4;

impl Recovery<'_, '_> {
    /// Stores sectors of a block and what is known of it: in its slot, or in a fresh one when it has none,
    /// has to leave it, or the slot refuses.
    pub(super) async fn store(&mut self, port: &Port<'_>, what: Storing) -> Result<(), JobError> {
        let mut leaving = what.leave;
        if let (Some(present), None) = (what.current, leaving) {
            match self.write_slot(port, what.block, present.slot, what.mask, what.source).await {
                Ok(()) => {
                    let lost = present.masks.lost & !what.mask | what.lost;
                    let masks = Masks {
                        moved: present.masks.moved & !what.lost | what.mask,
                        lost,
                        stale: lost & (present.masks.moved | present.masks.stale),
                    };
                    if masks != present.masks {
                        self.set_used(present.slot, what.block, masks, present.version);
                    }
                    return Ok(());
                }
                Err(error) => {
                    if !self.spare_is_alive(port, self.spare_index(present.slot), error).await {
                        return Err(JobError::Disk(error));
                    }
                    leaving = Some(Leaving::Retire);
                }
            }
        }
        self.store_afresh(port, what, leaving.unwrap_or(Leaving::Retire)).await
    }

    async fn store_afresh(
        &mut self,
        port: &Port<'_>,
        what: Storing,
        leaving: Leaving,
    ) -> Result<(), JobError> {
        let mut kept = 0;
        let mut lost = what.lost;
        if let Some(present) = what.current {
            let staying = present.masks.moved & !what.mask & !what.lost;
            let bad = self.read_slot(port, present.slot, staying & !what.read).await?;
            kept = staying & !bad;
            lost |= present.masks.lost & !what.mask | bad;
            self.count_lost(port, what.block, bad).await;
        }
        for _ in 0..FRESH_SLOTS {
            let slot = self.allocator.allocate(self.set).ok_or(JobError::NoRoom)?;
            let mut written = self.write_slot(port, what.block, slot, what.mask, what.source).await;
            if written.is_ok() {
                written = self.write_slot(port, what.block, slot, kept, Source::Scratch).await;
            }
            if let Err(error) = written {
                if self.spare_is_alive(port, self.spare_index(slot), error).await {
                    self.retire(port, slot, Step::First).await;
                }
                continue;
            }
            let version = what.current.map_or(0, |present| present.version.wrapping_add(1));
            let held_by_slot = what.current.map_or(0, |present| present.masks.moved | present.masks.stale);
            let masks = Masks { moved: what.mask | kept, lost, stale: lost & held_by_slot };
            self.set_used(slot, what.block, masks, version);
            match (what.current, leaving) {
                (Some(present), Leaving::Retire) => self.retire(port, present.slot, Step::Second).await,
                (Some(present), Leaving::Free) => {
                    self.changes.set(present.slot, Record::Free, Step::Second);
                }
                (None, _) => {}
            }
            return Ok(());
        }
        Err(JobError::NoRoom)
    }

    fn set_used(&mut self, slot: SlotIndex, block: BlockIndex, masks: Masks, version: u8) {
        let record = if masks.away() == 0 { Record::Free } else { Record::Used { block, masks, version } };
        self.changes.set(slot, record, Step::First);
    }

    async fn retire(&mut self, port: &Port<'_>, slot: SlotIndex, step: Step) {
        self.changes.set(slot, Record::Retired, step);
        self.set.counters.slots_retired.add(1);
        if let Some(spare) = self.spare_index(slot) {
            self.event(port, Event::Retired { spare }).await;
        }
    }

    /// Counts sectors found lost and says so.
    pub(super) async fn count_lost(&self, port: &Port<'_>, block: BlockIndex, mask: u16) {
        if mask != 0 {
            self.set.counters.sectors_lost.add(u64::from(mask.count_ones()));
            self.event(port, Event::Lost { block, mask }).await;
        }
    }

    /// Which spare a slot is on.
    pub(super) fn spare_index(&self, slot: SlotIndex) -> Option<usize> {
        self.set.spare_of(slot).map(|(index, _)| index)
    }

    /// Writes sectors of a block to a slot.
    async fn write_slot(
        &mut self,
        port: &Port<'_>,
        block: BlockIndex,
        slot: SlotIndex,
        mask: u16,
        source: Source,
    ) -> Result<(), DiskError> {
        let (index, base) = self.set.slot_address(slot).ok_or(DiskError::Offline)?;
        if !self.set.spares().get(index).is_some_and(SpareView::is_writable) {
            return Err(DiskError::Offline);
        }
        for (from, count) in runs(mask) {
            let place = match source {
                Source::Scratch => Place::Scratch { offset: in_block(from) },
                Source::Job { job, start } => {
                    let sector = self.set.block_size().first_sector(block).0 + u64::from(from);
                    Place::Job { job, offset: sector.saturating_sub(start.0) }
                }
            };
            if let Some(unflushed) = self.unflushed.get_mut(index) {
                *unflushed = true;
            }
            let start = Sector(base.0 + u64::from(from));
            let effect =
                Effect::Write { device: Device::Spare(index), start, sectors: u64::from(count), from: place };
            port.call(effect).await?;
        }
        Ok(())
    }

    /// Reads sectors of a block from its slot into scratch memory; returns those that cannot be read. An
    /// error that is not about a place fails the whole.
    pub(super) async fn read_slot(
        &mut self,
        port: &Port<'_>,
        slot: SlotIndex,
        mask: u16,
    ) -> Result<u16, JobError> {
        let Some((index, base)) = self.set.slot_address(slot) else {
            return Err(JobError::Disk(DiskError::Offline));
        };
        let mut bad = 0;
        for (from, count) in runs(mask) {
            match self.read_run(port, index, base, from, count).await {
                Ok(()) => continue,
                Err(error) if count <= self.granularity.logical => {
                    self.believe_slot_error(port, index, error).await?;
                    bad |= mask_of(from, count);
                    continue;
                }
                Err(error) => self.believe_slot_error(port, index, error).await?,
            }
            for (from, count) in units(mask_of(from, count), self.granularity.logical) {
                if let Err(error) = self.read_run(port, index, base, from, count).await {
                    self.believe_slot_error(port, index, error).await?;
                    bad |= mask_of(from, count);
                }
            }
        }
        Ok(bad)
    }

    async fn read_run(
        &self,
        port: &Port<'_>,
        index: usize,
        base: Sector,
        from: u32,
        count: u32,
    ) -> Result<(), DiskError> {
        let effect = Effect::Read {
            device: Device::Spare(index),
            start: Sector(base.0 + u64::from(from)),
            sectors: u64::from(count),
            into: Place::Scratch { offset: in_block(from) },
        };
        port.call(effect).await
    }

    /// Fails with `error` unless it is about a place on the spare.
    async fn believe_slot_error(
        &mut self,
        port: &Port<'_>,
        index: usize,
        error: DiskError,
    ) -> Result<(), JobError> {
        if self.spare_is_alive(port, Some(index), error).await { Ok(()) } else { Err(JobError::Disk(error)) }
    }
}
