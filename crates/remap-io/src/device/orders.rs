//! Operator's orders over ranges of any length, as jobs for recovery: a batch at a time, so that failed
//! requests have their turn between.

use remap_core::record::Record;
use remap_core::recovery::MAX_BATCH;
use remap_core::recovery::job::{JobError, JobKind};
use remap_core::units::{BlockIndex, SlotIndex};
use remap_core::{Sector, SectorRange};

use crate::disk::AlignedBuffer;

use super::error::RequestError;
use super::serve::jobs_of;
use super::shared::Shared;

/// What an operator can order for a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Move sectors to a spare ahead of their failing.
    Remap,
    /// Write zeros for lost sectors.
    AcceptLoss,
    /// Read lost sectors from the main device again, and keep what answers.
    Retry {
        /// How often each sector is read at most.
        attempts: u32,
    },
    /// Write moved blocks back to the main device and free their slots.
    Unmap,
}

/// What became of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderReport {
    /// Blocks that were dealt with, those that needed nothing included.
    pub blocks_done: u64,
    /// What failed, and why.
    pub failures: Vec<(SectorRange, String)>,
}

/// What became of one job.
type Outcome = (SectorRange, Result<(), JobError>);

impl Shared {
    pub fn order(
        &self,
        order: Order,
        range: SectorRange,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<OrderReport, RequestError> {
        let range = self.check(range)?;
        let _claim = self.enter()?;
        self.check_writable()?;
        let (kind, jobs) = match order {
            Order::Remap => (JobKind::Remap, jobs_of(range).collect()),
            Order::AcceptLoss => (JobKind::AcceptLoss, self.mapped_in(range, |_| true)),
            Order::Retry { attempts } => (JobKind::Retry { attempts }, self.mapped_in(range, |_| true)),
            Order::Unmap => (JobKind::Unmap, self.mapped_in(range, |_| true)),
        };
        self.carry_out(kind, &jobs, progress)
    }

    /// The parts of `range` in mapped blocks whose slot `wanted` says yes to, a block each, ascending.
    pub fn mapped_in(&self, range: SectorRange, wanted: impl Fn(SlotIndex) -> bool) -> Vec<SectorRange> {
        let set = self.set();
        let mut parts: Vec<_> = (0..set.table().slots())
            .map(SlotIndex)
            .filter_map(|slot| match set.table().record(slot) {
                Record::Used { block, .. } if wanted(slot) => self.block_range(block).intersection(range),
                _ => None,
            })
            .collect();
        parts.sort_unstable_by_key(|part| part.start);
        parts
    }

    /// The sectors of a block that the device has.
    fn block_range(&self, block: BlockIndex) -> SectorRange {
        let block_size = self.set().block_size();
        let start = block_size.first_sector(block);
        SectorRange::new(start, u64::from(block_size.sectors()).min(self.sectors.saturating_sub(start.0)))
    }

    pub fn blocks_in(&self, range: SectorRange) -> u64 {
        let block = u64::from(self.set().block_size().sectors());
        range.end().0.div_ceil(block) - range.start.0 / block
    }

    /// Has jobs done, a batch at a time. Ends early only when none of the others can succeed.
    pub fn carry_out(
        &self,
        kind: JobKind,
        jobs: &[SectorRange],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<OrderReport, RequestError> {
        let total = jobs.iter().map(|range| self.blocks_in(*range)).sum();
        let mut report = OrderReport::default();
        let mut seen = 0;
        progress(0, total);
        for batch in jobs.chunks(MAX_BATCH) {
            self.check_open()?;
            let mut again = Vec::new();
            let mut hopeless = None;
            for (range, result) in self.carry_out_batch(kind, batch)? {
                match result {
                    Ok(()) => report.blocks_done += self.blocks_in(range),
                    Err(_) if self.blocks_in(range) > 1 => again.extend(self.blocks_of(range)),
                    Err(error) => report.failures.push((range, error.to_string())),
                }
            }
            // A job ends at its first failing block: the others are done by themselves.
            for batch in again.chunks(MAX_BATCH) {
                for (range, result) in self.carry_out_batch(kind, batch)? {
                    match result {
                        Ok(()) => report.blocks_done += 1,
                        Err(error) => {
                            report.failures.push((range, error.to_string()));
                            if matches!(error, JobError::ReadOnly | JobError::Metadata) {
                                hopeless = Some(error);
                            }
                        }
                    }
                }
                if hopeless.is_some() {
                    break;
                }
            }
            seen += batch.iter().map(|range| self.blocks_in(*range)).sum::<u64>();
            progress(seen, total);
            if let Some(error) = hopeless {
                return Err(error.into());
            }
        }
        Ok(report)
    }

    fn carry_out_batch(&self, kind: JobKind, batch: &[SectorRange]) -> Result<Vec<Outcome>, RequestError> {
        let mut replies = Vec::with_capacity(batch.len());
        for range in batch {
            replies.push((*range, self.submit(kind, *range, AlignedBuffer::zeroed(0))?));
        }
        replies.into_iter().map(|(range, reply)| Ok((range, self.wait(&reply)?.result))).collect()
    }

    fn blocks_of(&self, range: SectorRange) -> impl Iterator<Item = SectorRange> {
        super::serve::cut(range, u64::from(self.set().block_size().sectors()))
    }

    pub fn evacuate(&self, index: usize) -> Result<(), RequestError> {
        let _claim = self.enter()?;
        self.check_writable()?;
        if index >= self.spares.len() {
            return Err(RequestError::NoSuchSpare);
        }
        self.command(move |recovery, _, _| recovery.drain_spare(index, true))?;
        let outcome = self.carry_off(index);
        if outcome.is_err() {
            self.command(move |recovery, _, _| recovery.drain_spare(index, false))?;
        }
        outcome
    }

    /// Carries blocks off a spare until none is left there.
    fn carry_off(&self, index: usize) -> Result<(), RequestError> {
        let everything = SectorRange::new(Sector(0), self.sectors);
        loop {
            let on_it = |slot| self.set().spare_of(slot).is_some_and(|(spare, _)| spare == index);
            let parts = self.mapped_in(everything, on_it);
            if parts.is_empty() {
                return Ok(());
            }
            for batch in parts.chunks(MAX_BATCH) {
                self.check_open()?;
                for (_, result) in self.carry_out_batch(JobKind::Evacuate, batch)? {
                    result?;
                }
            }
        }
    }
}
