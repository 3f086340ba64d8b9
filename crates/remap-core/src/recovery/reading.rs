//! Failed reads: read again in small pieces, keep what answers, record what does not.
//!
//! Also the proactive move, which is the same with the wish to keep everything.

use super::job::{Job, JobError};
use super::slots::{Leaving, Storing};
use super::writing::Access;
use super::{Recovery, Segment, Source, in_block, runs, units};
use crate::error::DiskError;
use crate::port::{Device, Effect, Event, Place, Port};
use crate::set::SetState;
use crate::units::{BlockIndex, Sector, SectorRange, mask_of};

/// What is to become of sectors that answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// They stay, unless a neighbour is lost.
    Salvage,
    /// They move to the slot.
    Move,
}

impl Recovery<'_, '_> {
    pub(super) async fn read(
        &mut self,
        port: &Port<'_>,
        index: usize,
        job: &Job,
        device: Device,
        error: DiskError,
        deliver: bool,
    ) -> Result<(), JobError> {
        let believed = match device {
            Device::Main => self.main_is_alive(port, error, Access::Read).await,
            Device::Spare(spare) => self.spare_is_alive(port, Some(spare), error).await,
        };
        if !believed {
            return Err(JobError::Disk(error));
        }
        let mut result = Ok(());
        for segment in self.segments(job.range) {
            let Segment { block, mask } = segment;
            let bad = self.read_segment(port, segment, Keep::Salvage).await?;
            if bad != 0 {
                result = Err(JobError::Disk(DiskError::Medium));
            }
            if deliver {
                let first = self.set.block_size().first_sector(block).0;
                for (from, count) in runs(mask & !bad) {
                    let offset = first + u64::from(from) - job.range.start.0;
                    let sectors = u64::from(count);
                    let effect = Effect::Deliver { job: index, offset, sectors, from: in_block(from) };
                    let _ = port.call(effect).await;
                }
            }
        }
        result
    }

    /// Moves sectors ahead of their failing. What cannot be read any more is recorded as lost.
    pub(super) async fn remap(&mut self, port: &Port<'_>, job: &Job) -> Result<(), JobError> {
        let mut result = Ok(());
        for segment in self.segments(job.range) {
            if self.read_segment(port, segment, Keep::Move).await? != 0 {
                result = Err(JobError::Disk(DiskError::Medium));
            }
        }
        result
    }

    /// Reads a segment into scratch memory, wherever its sectors live, and stores what has to be stored.
    /// Returns the sectors that cannot be read.
    async fn read_segment(&mut self, port: &Port<'_>, segment: Segment, keep: Keep) -> Result<u16, JobError> {
        let Segment { block, mask } = segment;
        self.prepare(port, block).await?;
        let current = self.current(block);
        let (moved, lost) = current.map_or((0, 0), |mapping| (mapping.masks.moved, mapping.masks.lost));

        let from_slot = if keep == Keep::Salvage { mask & moved } else { 0 };
        let mut bad_in_slot = 0;
        if let Some(mapping) = current {
            bad_in_slot = self.read_slot(port, mapping.slot, from_slot).await?;
        }
        let from_main = mask & !(moved | lost);
        let mut bad_on_main = self.read_main(port, block, from_main).await?;
        let mut answered = from_main & !bad_on_main;
        if bad_on_main != 0 {
            let rest = self.existing(block) & !(moved | lost | mask);
            let bad = self.read_main(port, block, rest).await?;
            bad_on_main |= bad;
            answered |= rest & !bad;
        }
        let bad = bad_on_main | bad_in_slot;
        let salvaged = if bad_on_main != 0 || keep == Keep::Move { answered } else { 0 };
        if bad == 0 && salvaged == 0 {
            return Ok(mask & lost);
        }
        if self.set.state() != SetState::ReadOnly {
            let leave = (bad_in_slot != 0).then_some(Leaving::Retire);
            let read = from_slot & !bad_in_slot;
            let source = Source::Scratch;
            self.record(port, Storing { block, current, mask: salvaged, source, lost: bad, read, leave })
                .await?;
        }
        Ok(mask & (lost | bad))
    }

    /// Stores salvaged sectors and the knowledge of lost ones. That there is no room for it changes nothing
    /// for the reader: the sectors go on failing by themselves.
    async fn record(&mut self, port: &Port<'_>, what: Storing) -> Result<(), JobError> {
        let Storing { block, mask: salvaged, lost: bad, .. } = what;
        match self.store(port, what).await {
            Ok(()) => {
                self.count_lost(port, block, bad).await;
                self.set.counters.sectors_salvaged.add(u64::from(salvaged.count_ones()));
                if salvaged != 0 {
                    self.event(port, Event::Moved { block, mask: salvaged }).await;
                }
                Ok(())
            }
            Err(JobError::NoRoom) if bad != 0 => {
                let start = self.set.block_size().first_sector(block);
                let sectors = u64::from(self.set.block_size().sectors());
                let range = SectorRange::new(start, sectors);
                self.event(port, Event::SpareFull { range }).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Reads sectors of a block from the main device into scratch memory, in units of its physical block, and
    /// those of a unit that fails one by one: stacked and virtual disks claim large physical blocks and fail
    /// in small ones. Returns those that cannot be read.
    async fn read_main(&mut self, port: &Port<'_>, block: BlockIndex, mask: u16) -> Result<u16, JobError> {
        let mut bad = 0;
        for (from, count) in units(mask, self.granularity.physical) {
            if self.main_reads(port, block, from, count).await? {
                continue;
            }
            if count <= self.granularity.logical {
                bad |= mask_of(from, count);
                continue;
            }
            for (from, count) in units(mask_of(from, count), self.granularity.logical) {
                if !self.main_reads(port, block, from, count).await? {
                    bad |= mask_of(from, count);
                }
            }
        }
        Ok(bad)
    }

    /// Whether a run of sectors can be read into scratch memory. Fails when the device is dead. An error of
    /// unknown cause, when the device answers elsewhere, may have been a moment's: then it is read once more,
    /// before a sector is given up for lost.
    async fn main_reads(
        &mut self,
        port: &Port<'_>,
        block: BlockIndex,
        from: u32,
        count: u32,
    ) -> Result<bool, JobError> {
        for _ in 0..2 {
            match self.read_main_run(port, block, from, count).await {
                Ok(()) => return Ok(true),
                Err(error) if !self.main_is_alive(port, error, Access::Read).await => {
                    return Err(JobError::Disk(error));
                }
                Err(DiskError::Medium) => return Ok(false),
                Err(_) => {}
            }
        }
        Ok(false)
    }

    pub(super) async fn read_main_run(
        &self,
        port: &Port<'_>,
        block: BlockIndex,
        from: u32,
        count: u32,
    ) -> Result<(), DiskError> {
        let start = Sector(self.set.block_size().first_sector(block).0 + u64::from(from));
        let into = Place::Scratch { offset: in_block(from) };
        port.call(Effect::Read { device: Device::Main, start, sectors: u64::from(count), into }).await
    }
}
