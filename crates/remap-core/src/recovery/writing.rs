//! Failed writes: another try on the main device where that makes sense, a slot for what it refuses.

use super::job::{Job, JobError};
use super::slots::Storing;
use super::{Recovery, Segment, Source, runs};
use crate::error::DiskError;
use crate::port::{Device, Effect, Event, Place, Port};
use crate::set::SetState;
use crate::units::{Sector, mask_of};

impl Recovery<'_, '_> {
    pub(super) async fn write(
        &mut self,
        port: &Port<'_>,
        index: usize,
        job: &Job,
        device: Device,
        error: Option<DiskError>,
    ) -> Result<(), JobError> {
        if let Some(error) = error {
            let believed = match device {
                Device::Main => self.main_is_alive(port, error, Access::Write).await,
                Device::Spare(spare) => self.spare_is_alive(port, Some(spare), error).await,
            };
            if !believed {
                return Err(JobError::Disk(error));
            }
        }
        if self.set.state() == SetState::ReadOnly {
            return Err(JobError::ReadOnly);
        }
        // A write within one block that the main device refused is not tried there again: on a dying disk
        // every failing access costs seconds.
        let mut segments = self.segments(job.range);
        let whole_failed = device == Device::Main && error.is_some() && segments.nth(1).is_none();
        for segment in self.segments(job.range) {
            self.prepare(port, segment.block).await?;
            self.write_segment(port, index, job, segment, whole_failed).await?;
        }
        Ok(())
    }

    async fn write_segment(
        &mut self,
        port: &Port<'_>,
        index: usize,
        job: &Job,
        segment: Segment,
        refused: bool,
    ) -> Result<(), JobError> {
        let Segment { block, mask } = segment;
        let current = self.current(block);
        let away = current.map_or(0, |mapping| mapping.masks.away());
        let mut to_slot = mask & away;
        let on_main = mask & !away;
        if refused {
            to_slot |= on_main;
        } else {
            let first = self.set.block_size().first_sector(block).0;
            for (from, count) in runs(on_main) {
                let start = Sector(first + u64::from(from));
                let from_job = Place::Job { job: index, offset: start.0 - job.range.start.0 };
                let effect =
                    Effect::Write { device: Device::Main, start, sectors: u64::from(count), from: from_job };
                if let Err(error) = port.call(effect).await {
                    if !self.main_is_alive(port, error, Access::Write).await {
                        return Err(JobError::Disk(error));
                    }
                    to_slot |= mask_of(from, count);
                }
            }
        }
        if to_slot == 0 {
            return Ok(());
        }
        let source = Source::Job { job: index, start: job.range.start };
        self.store(port, Storing { block, current, mask: to_slot, source, lost: 0, read: 0, leave: None })
            .await?;
        let fresh = to_slot & !away;
        let healed = current.map_or(0, |mapping| mapping.masks.lost) & to_slot;
        self.set.counters.sectors_remapped.add(u64::from(fresh.count_ones()));
        self.set.counters.sectors_healed.add(u64::from(healed.count_ones()));
        if fresh | healed != 0 {
            self.event(port, Event::Moved { block, mask: fresh | healed }).await;
        }
        Ok(())
    }
}

/// What was being done when the main device failed, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}
