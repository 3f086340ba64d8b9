//! The region filter: one bit per MiB of the main device, clear where nothing is mapped.
//!
//! A healthy request pays for this and nothing more. A set bit only means that the map table has to be asked.

use crate::sync::{AtomicU64, Ordering};
use crate::units::{Sector, SectorRange};

/// log2 of the sectors in a region: 2048 sectors, 1 MiB. One bit each makes 128 KiB per TiB.
const REGION_SHIFT: u32 = 11;

/// One bit a region over memory of the caller. Any thread reads; one writer sets.
#[derive(Debug)]
pub struct RegionFilter<'a> {
    words: &'a [AtomicU64],
}

impl<'a> RegionFilter<'a> {
    /// How many words a main device of `sectors` sectors needs.
    pub const fn words_for(sectors: u64) -> u64 {
        sectors.div_ceil(1 << REGION_SHIFT).div_ceil(64)
    }

    /// A filter over zeroed `words`, of which there must be at least [`words_for`](Self::words_for);
    /// regions behind their end count as mapped.
    pub const fn new(words: &'a [AtomicU64]) -> Self {
        Self { words }
    }

    /// Marks the region of `sector`.
    pub fn insert(&self, sector: Sector) {
        let region = sector.0 >> REGION_SHIFT;
        if let Some(word) = usize::try_from(region / 64).ok().and_then(|index| self.words.get(index)) {
            word.fetch_or(1 << (region % 64), Ordering::Release);
        }
    }

    /// Whether the region of `sector` may hold a mapping.
    #[inline]
    fn region_may_map(&self, region: u64) -> bool {
        match self.words.get((region / 64) as usize) {
            Some(word) => word.load(Ordering::Acquire) & (1 << (region % 64)) != 0,
            None => true,
        }
    }

    /// Whether any region that `range` touches may hold a mapping.
    #[inline]
    pub fn may_map(&self, range: SectorRange) -> bool {
        let first = range.start.0 >> REGION_SHIFT;
        let last = range.end().0.saturating_sub(1).max(range.start.0) >> REGION_SHIFT;
        if first == last {
            return self.region_may_map(first);
        }
        (first..=last).any(|region| self.region_may_map(region))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
