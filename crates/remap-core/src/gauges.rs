//! How much of a set is mapped right now.

use crate::counters::Counter;
use crate::record::Masks;

/// Kept up to date by the writer, read by anyone.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Blocks with a mapping: slots used.
    pub mapped: Counter,
    /// Sectors that live on a spare.
    pub moved: Counter,
    /// Sectors that nobody holds.
    pub lost: Counter,
    /// Slots that failed.
    pub retired: Counter,
}

impl Gauges {
    /// Takes one block's change into account.
    pub(crate) fn replace(&self, before: Option<Masks>, after: Option<Masks>) {
        let count = |mask: Option<u16>| mask.map_or(0, |mask| u64::from(mask.count_ones()));
        let change = |gauge: &Counter, before: u64, after: u64| gauge.add(after.wrapping_sub(before));
        change(&self.mapped, u64::from(before.is_some()), u64::from(after.is_some()));
        change(&self.moved, count(before.map(|m| m.moved)), count(after.map(|m| m.moved)));
        change(&self.lost, count(before.map(|m| m.lost)), count(after.map(|m| m.lost)));
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
