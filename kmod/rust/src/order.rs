//! Carrying out orders step by step, so that failed requests have their turn between.

use core::sync::atomic::Ordering;

use remap_core::record::Record;
use remap_core::recovery::job::{Job, JobError, JobKind};
use remap_core::units::{BlockIndex, SlotIndex};
use remap_core::{DiskError, Sector, SectorRange};

use crate::abi::Order;
use crate::engine::{Engine, Writer};
use crate::glue::{disk_error, job_code};
use crate::messages;
use crate::text::{Text, say};

/// How many slots one step looks at, so that it ends soon though nothing is found.
const SLOTS_PER_STEP: u32 = 1 << 20;

impl Engine {
    /// Takes one step; `false` when there is none left.
    pub fn step(&self, writer: &mut Writer, order: &mut Order) -> bool {
        match order.kind {
            messages::ORDER_VERIFY => self.verify_step(writer, order),
            messages::ORDER_RESUME => {
                let Writer { recovery, port, arena, .. } = writer;
                self.bench().run(arena, port, || recovery.resume(port));
                false
            }
            messages::ORDER_PROBE => {
                let Writer { recovery, port, arena, .. } = writer;
                order.done = u64::from(self.bench().run(arena, port, || recovery.probe(port)));
                false
            }
            _ => self.jobs_step(writer, order),
        }
    }

    /// Gives no slot of device `number` out any more, or does again; `false` when it is no spare.
    pub fn drain_spare(&self, writer: &mut Writer, number: u32, draining: bool) -> bool {
        let Some(index) = self.member_of(number) else { return false };
        writer.recovery.drain_spare(index, draining);
        true
    }

    fn verify_step(&self, writer: &mut Writer, order: &mut Order) -> bool {
        let page = order.cursor as u32;
        if page >= self.pages {
            self.bad_copies.store(order.failed, Ordering::Relaxed);
            return false;
        }
        let Writer { recovery, port, arena, .. } = writer;
        let verdict = self.bench().run(arena, port, || recovery.verify_page(port, page));
        order.done += u64::from(verdict.good);
        order.repaired += u64::from(verdict.repaired);
        order.failed += u64::from(verdict.bad);
        order.cursor += 1;
        self.after_work(writer);
        true
    }

    fn jobs_step(&self, writer: &mut Writer, order: &mut Order) -> bool {
        writer.jobs.get_mut().clear();
        let more = self.collect(writer, order);
        if writer.jobs.get().is_empty() {
            return more;
        }
        let (mut done, mut failed, mut error) = (0, 0, None);
        self.own_batch(writer, |_, result| {
            done += 1;
            if let Err(reason) = result {
                failed += 1;
                error = Some(reason);
            }
        });
        order.done += done;
        order.failed += failed;
        if let Some(error) = error {
            order.error = job_code(error);
            // Nothing else can succeed then.
            let hopeless = matches!(error, JobError::ReadOnly | JobError::Metadata | JobError::NoRoom);
            if hopeless || order.kind == messages::ORDER_EVACUATE {
                return false;
            }
        }
        more
    }

    /// Fills the writer's jobs; `false` when these are the last.
    fn collect(&self, writer: &mut Writer, order: &mut Order) -> bool {
        let set = self.set.get();
        let range = SectorRange::new(Sector(order.start), order.sectors);
        let block_size = set.block_size();
        let part = |block: BlockIndex, range: SectorRange| {
            let start = block_size.first_sector(block);
            let whole = SectorRange::new(start, u64::from(block_size.sectors()));
            whole.intersection(range).filter(|part| part.fits(set.sectors()))
        };
        if order.kind == messages::ORDER_REMAP {
            while !writer.jobs.get().is_full() {
                let from = order.start + order.cursor;
                let rest = SectorRange::new(Sector(from), order.sectors.saturating_sub(order.cursor));
                let Some(range) = part(block_size.block_of(rest.start), rest) else { return false };
                let _ = writer.jobs.get_mut().try_push(Job { kind: JobKind::Remap, range });
                order.cursor += range.sectors;
            }
            return true;
        }
        let everything = SectorRange::new(Sector(0), set.sectors());
        let kind = match order.kind {
            messages::ORDER_ACCEPT_LOSS => JobKind::AcceptLoss,
            messages::ORDER_RETRY => JobKind::Retry { attempts: order.attempts },
            messages::ORDER_UNMAP => JobKind::Unmap,
            _ => JobKind::Evacuate,
        };
        let spare = self.member_of(order.device);
        let slots = set.table().slots();
        let end = (order.cursor as u32).saturating_add(SLOTS_PER_STEP).min(slots);
        while (order.cursor as u32) < end && !writer.jobs.get().is_full() {
            let slot = SlotIndex(order.cursor as u32);
            order.cursor += 1;
            let Record::Used { block, .. } = set.table().record(slot) else { continue };
            let range = if kind == JobKind::Evacuate {
                let on_it = set.spare_of(slot).is_some_and(|(index, _)| Some(index) == spare);
                on_it.then(|| part(block, everything)).flatten()
            } else {
                part(block, range)
            };
            if let Some(range) = range {
                let _ = writer.jobs.get_mut().try_push(Job { kind, range });
            }
        }
        (order.cursor as u32) < slots
    }
}

/// Says what became of an order.
pub fn say_report(order: &Order, text: &mut Text<'_>) {
    match order.kind {
        messages::ORDER_VERIFY => {
            say!(text, "good {} repaired {} bad {}", order.done, order.repaired, order.failed);
        }
        messages::ORDER_RESUME => say!(text, "resumed"),
        messages::ORDER_PROBE if order.done != 0 => say!(text, "the main device answers"),
        messages::ORDER_PROBE => say!(text, "the main device does not answer"),
        _ => {
            say!(text, "blocks {} failed {}", order.done, order.failed);
            if order.failed != 0 {
                say!(text, " (last: {})", job_error(order.error));
            }
        }
    }
}

/// The error of a number; the other way round of [`job_code`].
fn job_error(code: u32) -> JobError {
    match code {
        9 => JobError::NoRoom,
        10 => JobError::ReadOnly,
        11 => JobError::Metadata,
        12 => JobError::HoldsLost,
        13 => JobError::NotVerified,
        _ => JobError::Disk(disk_error(code).unwrap_or(DiskError::Io)),
    }
}
