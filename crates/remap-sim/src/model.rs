//! The naive model: for each sector the writes that a read may show, and those that a power cut may show.
//!
//! Every write has a stamp, and fills each of its sectors with it. A sector is a register: a read may return a
//! write that was not surely overwritten before the read began, where "surely" means that a write which
//! began after the other's end was acknowledged. After a power cut it may return a write that was not
//! surely overwritten by one that is durable: acknowledged before a flush began that was acknowledged too, or
//! durable by itself.

use crate::{Checked, check};
use remap_core::SectorRange;
use remap_core::units::SECTOR_BYTES;

/// The stamp of what was on the disk at first.
pub const FIRST_STAMP: u64 = 1;
/// The stamp of zeros.
pub const ZERO_STAMP: u64 = 0;

const NEVER: u64 = u64::MAX;

#[derive(Clone, Copy, Debug)]
struct Write {
    stamp: u64,
    began: u64,
    ended: u64,
    acknowledged: bool,
    /// When it became sure that no later read shows it.
    overwritten: u64,
    /// Whether it is sure that no power cut brings it back.
    gone: bool,
}

impl Write {
    fn new(stamp: u64, began: u64, ended: u64) -> Self {
        Self { stamp, began, ended, acknowledged: ended != NEVER, overwritten: NEVER, gone: false }
    }
}

#[derive(Clone, Debug)]
struct Cell {
    writes: Vec<Write>,
    /// Since when a read may fail.
    may_fail_since: u64,
    /// Until when; `NEVER` while it still may.
    may_fail_until: u64,
}

/// The model of the whole device. Times are any growing numbers.
#[derive(Debug)]
pub struct Model {
    cells: Vec<Cell>,
}

/// Fills a sector with a stamp: stamp and sector number, then the stamp again and again.
pub fn fill(bytes: &mut [u8], start: u64, stamp: u64) {
    for (sector, bytes) in (start..).zip(bytes.as_chunks_mut::<SECTOR_BYTES>().0) {
        if stamp == ZERO_STAMP {
            bytes.fill(0);
            continue;
        }
        for word in bytes.as_chunks_mut::<8>().0 {
            *word = stamp.to_le_bytes();
        }
        bytes[8..16].copy_from_slice(&sector.to_le_bytes());
    }
}

/// The stamp that a sector is filled with, if it is whole and for this sector.
fn stamp_of(bytes: &[u8; SECTOR_BYTES], sector: u64) -> Option<u64> {
    let words = bytes.as_chunks::<8>().0;
    let stamp = u64::from_le_bytes(words[0]);
    let second = if stamp == ZERO_STAMP { 0 } else { sector };
    let rest_is_same = words[2..].iter().all(|word| *word == words[0]);
    (rest_is_same && words[1] == second.to_le_bytes()).then_some(stamp)
}

impl Model {
    /// A device of `sectors` sectors that hold [`FIRST_STAMP`].
    pub fn new(sectors: u64) -> Self {
        let cell = Cell {
            writes: vec![Write::new(FIRST_STAMP, 0, 0)],
            may_fail_since: NEVER,
            may_fail_until: NEVER,
        };
        Self { cells: vec![cell; sectors as usize] }
    }

    fn cells(&mut self, range: SectorRange) -> impl Iterator<Item = (u64, &mut Cell)> {
        let from = range.start.0 as usize;
        (range.start.0..).zip(&mut self.cells[from..from + range.sectors as usize])
    }

    /// A write begins.
    pub fn write_begins(&mut self, range: SectorRange, stamp: u64, now: u64) {
        for (_, cell) in self.cells(range) {
            cell.writes.push(Write::new(stamp, now, NEVER));
        }
    }

    /// A write ended. If not acknowledged, its sectors hold the old or the new, and go on doing so.
    pub fn write_ended(&mut self, range: SectorRange, stamp: u64, now: u64, acknowledged: bool) {
        for (_, cell) in self.cells(range) {
            let Some(own) = cell.writes.iter_mut().find(|write| write.stamp == stamp && write.ended == NEVER)
            else {
                continue;
            };
            own.ended = now;
            own.acknowledged = acknowledged;
            let began = own.began;
            if !acknowledged {
                continue;
            }
            for write in cell.writes.iter_mut().filter(|write| write.ended < began) {
                write.overwritten = write.overwritten.min(now);
            }
            if cell.may_fail_since < began && cell.may_fail_until == NEVER {
                cell.may_fail_until = now;
            }
        }
    }

    /// Zeros are about to be put where something may have been lost. Neither they nor what was there is sure.
    pub fn zeros_begin(&mut self, range: SectorRange, now: u64) {
        for (_, cell) in self.cells(range) {
            let under_way = cell.writes.iter().any(|write| write.stamp == ZERO_STAMP && write.ended == NEVER);
            if cell.may_fail_since != NEVER && !under_way {
                cell.writes.push(Write::new(ZERO_STAMP, now, NEVER));
            }
        }
    }

    /// Zeros were put, or not; also where something may have been lost meanwhile.
    pub fn zeros_ended(&mut self, range: SectorRange, now: u64) {
        self.zeros_begin(range, now);
        for (_, cell) in self.cells(range) {
            for write in cell.writes.iter_mut().filter(|w| w.stamp == ZERO_STAMP && w.ended == NEVER) {
                write.ended = now;
                write.acknowledged = false;
            }
        }
    }

    /// Everything acknowledged before `began`, when the flush began, is durable.
    pub fn flushed(&mut self, began: u64) {
        for cell in &mut self.cells {
            if cell.writes.len() > 1 {
                cell.settle(|write| write.acknowledged && write.ended < began);
            }
        }
    }

    /// The write `stamp` is durable in these sectors by itself.
    pub fn durable(&mut self, range: SectorRange, stamp: u64) {
        for (_, cell) in self.cells(range) {
            cell.settle(|write| write.stamp == stamp && write.acknowledged);
        }
    }

    /// From now on, reading these sectors may fail.
    pub fn may_fail(&mut self, range: SectorRange, now: u64) {
        for (_, cell) in self.cells(range) {
            cell.may_fail_since = now;
            cell.may_fail_until = NEVER;
        }
    }

    /// Whether reading some of these sectors may fail, or might have since `began`.
    pub fn failure_is_allowed(&self, range: SectorRange, began: u64) -> bool {
        let from = range.start.0 as usize;
        self.cells[from..from + range.sectors as usize]
            .iter()
            .any(|cell| cell.may_fail_since != NEVER && cell.may_fail_until >= began)
    }

    /// Checks what a read that began at `began` returned.
    pub fn check_read(&mut self, range: SectorRange, bytes: &[u8], began: u64, now: u64) -> Checked {
        for ((sector, cell), bytes) in self.cells(range).zip(bytes.as_chunks::<SECTOR_BYTES>().0) {
            let Some(stamp) = stamp_of(bytes, sector) else {
                check!(
                    false,
                    "sector {sector} reads as bytes that were never written there: {:02x?}",
                    &bytes[..16]
                );
                continue;
            };
            let shown = cell.writes.iter().any(|w| w.stamp == stamp && w.overwritten >= began);
            check!(
                shown,
                "sector {sector} reads as write {stamp}, but may only be one of {:?}",
                cell.writes.iter().filter(|w| w.overwritten >= began).map(|w| w.stamp).collect::<Vec<_>>()
            );
            // It was the last at some moment of the read: what had ended before is overwritten.
            for write in cell.writes.iter_mut().filter(|w| w.stamp != stamp && w.ended < began) {
                write.overwritten = write.overwritten.min(now);
            }
        }
        Ok(())
    }

    /// The power was cut: what is not gone may be there, and every write that was under way.
    pub fn power_cut(&mut self, now: u64) {
        for cell in &mut self.cells {
            cell.writes.retain(|write| !write.gone);
            for write in &mut cell.writes {
                write.overwritten = NEVER;
                write.ended = write.ended.min(now);
                // Which of them the disk kept is open, so none of them overwrites another any more.
                write.acknowledged = false;
            }
            if cell.may_fail_until != NEVER {
                // The write that healed it may have been lost with the power.
                cell.may_fail_until = NEVER;
            }
        }
    }

    /// Forgets what no request that began at `oldest` or later can see.
    pub fn forget_before(&mut self, oldest: u64) {
        for cell in self.cells.iter_mut().filter(|cell| cell.writes.len() > 1) {
            cell.writes.retain(|write| !(write.gone && write.overwritten < oldest));
        }
    }
}

impl Cell {
    /// Writes that ended before a durable one began are gone.
    fn settle(&mut self, is_durable: impl Fn(&Write) -> bool) {
        let Some(began) = self.writes.iter().filter(|write| is_durable(write)).map(|write| write.began).max()
        else {
            return;
        };
        for write in self.writes.iter_mut().filter(|write| write.ended < began) {
            write.gone = true;
        }
    }
}

#[cfg(test)]
mod tests;
