//! The spare allocator: which slots may be given out. One bit a slot, first fit over the spares in order.
//!
//! A slot is taken when it is given out, and free again only when its owner says so: after the commit that
//! freed it, never before.

use crate::format::superblock::MAX_SPARES;
use crate::set::{Set, SpareState};
use crate::units::SlotIndex;

/// Bits over memory of the caller: set for slots that are used, retired or given out.
#[derive(Debug)]
pub struct SlotAllocator<'a> {
    taken: &'a mut [u64],
    /// By spare: none of its slots below this one is free.
    hints: [u32; MAX_SPARES],
}

impl<'a> SlotAllocator<'a> {
    /// All slots free. `words` are cleared.
    pub fn new(words: &'a mut [u64]) -> Self {
        words.fill(0);
        Self { taken: words, hints: [0; MAX_SPARES] }
    }

    /// Marks a slot as taken.
    pub fn take(&mut self, slot: SlotIndex) {
        if let Some(word) = self.taken.get_mut(slot.0 as usize / 64) {
            *word |= 1 << (slot.0 % 64);
        }
    }

    /// Makes a slot available.
    pub fn release(&mut self, slot: SlotIndex) {
        if let Some(word) = self.taken.get_mut(slot.0 as usize / 64) {
            *word &= !(1 << (slot.0 % 64));
        }
        for hint in &mut self.hints {
            *hint = slot.0.min(*hint);
        }
    }

    /// Takes the first free slot of the first spare that has one and is present.
    pub fn allocate(&mut self, set: &Set<'_>) -> Option<SlotIndex> {
        for (index, spare) in set.spares().iter().enumerate() {
            if spare.state() != SpareState::Present {
                continue;
            }
            let (first, end) = (spare.first_slot, spare.first_slot + spare.slots);
            let from = self.hints.get(index).map_or(first, |hint| (*hint).clamp(first, end));
            let found = self.first_free(from, end);
            if let Some(hint) = self.hints.get_mut(index) {
                *hint = found.map_or(end, |slot| slot.0 + 1);
            }
            if let Some(slot) = found {
                self.take(slot);
                return Some(slot);
            }
        }
        None
    }

    fn first_free(&self, from: u32, end: u32) -> Option<SlotIndex> {
        let mut at = from;
        while at < end {
            let word = self.taken.get(at as usize / 64)? | ((1u64 << (at % 64)) - 1);
            let free = word.trailing_ones();
            if free < 64 {
                let slot = at / 64 * 64 + free;
                return (slot < end).then_some(SlotIndex(slot));
            }
            at = (at / 64 + 1).checked_mul(64)?;
        }
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
