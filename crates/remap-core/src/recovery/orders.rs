//! What an operator orders: accept a loss, try again, write back, empty a spare.

use super::job::{Job, JobError};
use super::slots::{Leaving, Storing};
use super::writing::Access;
use super::{Recovery, Segment, Source, in_block, in_compare, runs, units};
use crate::error::DiskError;
use crate::map::Mapping;
use crate::port::{Device, Effect, Place, Port};
use crate::record::Record;
use crate::set::SpareState;
use crate::units::{BlockIndex, SECTOR_BYTES, Sector, mask_of};

impl Recovery<'_, '_> {
    /// Writes zeros for the lost sectors of the range, and for no others.
    pub(super) async fn accept_loss(&mut self, port: &Port<'_>, job: &Job) -> Result<(), JobError> {
        for Segment { block, mask } in self.segments(job.range) {
            self.prepare(port, block).await?;
            let Some(current) = self.current(block) else { continue };
            let lost = current.masks.lost & mask;
            if lost == 0 {
                continue;
            }
            port.with_scratch(|scratch| {
                if let Some(block) = scratch.get_mut(in_block(0)..in_block(16)) {
                    block.fill(0);
                }
            });
            self.heal(port, block, current, lost).await?;
        }
        Ok(())
    }

    /// Reads the lost sectors of the range from the main device again, but for those that a slot held last:
    /// there the main device has something older. Fails with a medium error when some stay lost.
    pub(super) async fn retry(&mut self, port: &Port<'_>, job: &Job, attempts: u32) -> Result<(), JobError> {
        let mut result = Ok(());
        for Segment { block, mask } in self.segments(job.range) {
            self.prepare(port, block).await?;
            let Some(current) = self.current(block) else { continue };
            let lost = current.masks.lost & mask;
            let mut answered = 0;
            for (from, count) in units(lost & !current.masks.stale, self.granularity.logical) {
                for _ in 0..attempts.max(1) {
                    match self.read_main_run(port, block, from, count).await {
                        Ok(()) => {
                            answered |= mask_of(from, count);
                            break;
                        }
                        Err(error) if !self.main_is_alive(port, error, Access::Read).await => {
                            return Err(JobError::Disk(error));
                        }
                        Err(_) => {}
                    }
                }
            }
            if answered != lost {
                result = Err(JobError::Disk(DiskError::Medium));
            }
            if answered != 0 {
                self.heal(port, block, current, answered).await?;
            }
        }
        result
    }

    /// Stores sectors that were lost and now lie in scratch memory.
    async fn heal(
        &mut self,
        port: &Port<'_>,
        block: BlockIndex,
        current: Mapping,
        mask: u16,
    ) -> Result<(), JobError> {
        let current = Some(current);
        self.store(
            port,
            Storing { block, current, mask, source: Source::Scratch, lost: 0, read: 0, leave: None },
        )
        .await?;
        self.set.counters.sectors_healed.add(u64::from(mask.count_ones()));
        Ok(())
    }

    /// Writes moved blocks back to the main device, reads them again, and frees their slots.
    pub(super) async fn unmap(&mut self, port: &Port<'_>, job: &Job) -> Result<(), JobError> {
        for Segment { block, .. } in self.segments(job.range) {
            self.prepare(port, block).await?;
            if self.changes.mapping_of(block).is_some() {
                // The block may just have left another slot, whose record goes only in a commit's second
                // step: without the new record before it, a power cut would bring the old one back.
                self.commit_now(port).await?;
            }
            let Some(current) = self.current(block) else { continue };
            if current.masks.lost != 0 {
                return Err(JobError::HoldsLost);
            }
            if self.read_slot(port, current.slot, current.masks.moved).await? != 0 {
                return Err(JobError::Disk(DiskError::Medium));
            }
            self.write_back(port, block, current.masks.moved).await?;
            self.changes.set(current.slot, Record::Free, super::changes::Step::First);
            self.set.counters.blocks_unmapped.add(1);
        }
        Ok(())
    }

    /// Writes sectors from scratch memory to the main device, makes them durable, and checks that they are.
    async fn write_back(&mut self, port: &Port<'_>, block: BlockIndex, mask: u16) -> Result<(), JobError> {
        let first = self.set.block_size().first_sector(block).0;
        for (from, count) in runs(mask) {
            let start = Sector(first + u64::from(from));
            let from = Place::Scratch { offset: in_block(from) };
            port.call(Effect::Write { device: Device::Main, start, sectors: u64::from(count), from }).await?;
        }
        self.flush_main(port).await?;
        for (from, count) in runs(mask) {
            let start = Sector(first + u64::from(from));
            let into = Place::Scratch { offset: in_compare(from) };
            port.call(Effect::Read { device: Device::Main, start, sectors: u64::from(count), into }).await?;
            let same = port.with_scratch(|scratch| {
                let bytes = count as usize * SECTOR_BYTES;
                let written = scratch.get(in_block(from)..in_block(from) + bytes);
                let read = scratch.get(in_compare(from)..in_compare(from) + bytes);
                written.is_some() && written == read
            });
            if !same {
                return Err(JobError::NotVerified);
            }
        }
        Ok(())
    }

    /// Carries blocks whose slot lies on a draining spare to another spare.
    pub(super) async fn evacuate(&mut self, port: &Port<'_>, job: &Job) -> Result<(), JobError> {
        for Segment { block, .. } in self.segments(job.range) {
            self.prepare(port, block).await?;
            let Some(mapping) = self.current(block) else { continue };
            let spare = self.spare_index(mapping.slot).and_then(|index| self.set.spares().get(index));
            if spare.is_none_or(|spare| spare.state() != SpareState::Draining) {
                continue;
            }
            let what = Storing {
                block,
                current: Some(mapping),
                mask: 0,
                source: Source::Scratch,
                lost: 0,
                read: 0,
                leave: Some(Leaving::Free),
            };
            self.store(port, what).await?;
        }
        Ok(())
    }

    /// Gives no slot of spare `index` out any more, so that [`JobKind::Evacuate`](super::job::JobKind) can
    /// empty it; or does again.
    pub fn drain_spare(&mut self, index: usize, draining: bool) {
        if let Some(spare) = self.set.spares().get(index) {
            match (spare.state(), draining) {
                (SpareState::Present, true) => spare.change_state(SpareState::Draining),
                (SpareState::Draining, false) => spare.change_state(SpareState::Present),
                _ => {}
            }
        }
    }
}
