//! The ranges that recovery holds: requests to them wait until it is done.
//!
//! How a hold becomes exact is a bargain between two sides. A request first announces itself where the
//! driver's drain looks (with a sequentially consistent store or fence), then resolves; recovery first sets
//! the held ranges, then has the driver drain. Whatever the timing, the request sees the hold, or the drain
//! sees the request.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::units::SectorRange;

/// How many ranges can be held at once; also how many jobs one recovery batch takes.
pub const MAX_HELD: usize = 64;

/// The set of held ranges. Any thread reads, one writer changes.
#[derive(Debug)]
pub struct HeldRanges {
    count: AtomicU32,
    starts: [AtomicU64; MAX_HELD],
    ends: [AtomicU64; MAX_HELD],
}

impl Default for HeldRanges {
    fn default() -> Self {
        Self {
            count: AtomicU32::new(0),
            starts: core::array::from_fn(|_| AtomicU64::new(0)),
            ends: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl HeldRanges {
    /// Adds a range; `false` when there is no room for it. For the one writer, [`Recovery`](crate::recovery::Recovery).
    pub fn hold(&self, range: SectorRange) -> bool {
        let count = self.count.load(Ordering::Relaxed) as usize;
        let (Some(start), Some(end)) = (self.starts.get(count), self.ends.get(count)) else { return false };
        // A reader that still counts the ranges of before and meets this one must see all that was published
        // under them: hence release here and acquire there.
        start.store(range.start.0, Ordering::Release);
        end.store(range.end().0, Ordering::Release);
        self.count.store(count as u32 + 1, Ordering::SeqCst);
        true
    }

    /// Lets go of every range. For the one writer.
    pub fn release_all(&self) {
        self.count.store(0, Ordering::SeqCst);
    }

    /// Whether `range` touches a held one. While a hold is being exchanged for another, the answer may be
    /// "yes" for a range that neither covers; it is never "no" for one that is held.
    #[inline]
    pub fn touches(&self, range: SectorRange) -> bool {
        let count = self.count.load(Ordering::SeqCst) as usize;
        count != 0 && self.touches_any(count, range)
    }

    #[cold]
    fn touches_any(&self, count: usize, range: SectorRange) -> bool {
        self.starts.iter().zip(&self.ends).take(count).any(|(start, end)| {
            range.start.0 < end.load(Ordering::Acquire) && start.load(Ordering::Acquire) < range.end().0
        })
    }

    /// Calls `visit` with every held range, for a driver that drains.
    pub fn for_each(&self, mut visit: impl FnMut(SectorRange)) {
        let count = self.count.load(Ordering::SeqCst) as usize;
        for (start, end) in self.starts.iter().zip(&self.ends).take(count) {
            let start = start.load(Ordering::Acquire);
            let end = end.load(Ordering::Acquire);
            visit(SectorRange::new(crate::units::Sector(start), end.saturating_sub(start)));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
