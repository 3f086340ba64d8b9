//! The map table: which slot stands for a block, for wait-free readers and one writer.
//!
//! Two flat slices given by the caller. *Records* lie in slot order, two words a slot, exactly as map pages
//! hold them, so that a page is written from the table without a second structure. The *index* is an open
//! addressing hash of `u32` cells, a slot number each, with as much of the block's hash in the bits left
//! over as fit: a probe of a wrong cell is nearly always refused without touching its record.
//!
//! Memory: 16 bytes a record and 7/4 cells of 4 bytes, 23 bytes a slot.

use crate::record::{Masks, NO_BLOCK, Record};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::units::{BlockIndex, SlotIndex};

/// An index cell that never held a slot: a search ends here.
const EMPTY: u32 = 0;
/// An index cell whose slot was removed: a search goes on.
const REMOVED: u32 = 1;
/// Cell values of slots start here.
const FIRST: u32 = 2;

/// The most slots a set can have: cells are 32 bits, and two values are taken.
pub const MAX_SLOTS: u64 = u32::MAX as u64 - FIRST as u64 + 1;

/// Where a block's moved and lost sectors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The slot that holds the moved sectors.
    pub slot: SlotIndex,
    /// Which sectors are moved, which are lost.
    pub masks: Masks,
    /// See [`Record`].
    pub version: u8,
}

/// The table. Readers call [`lookup`](Self::lookup) from any thread at any time; the other changing methods
/// are for one thread at a time. A block that is being changed should be held meanwhile (see
/// [`HeldRanges`](crate::held::HeldRanges)); the table itself only promises that a reader sees a whole
/// mapping, the old or the new.
#[derive(Debug)]
pub struct MapTable<'a> {
    records: &'a [[AtomicU64; 2]],
    index: &'a [AtomicU32],
    slot_mask: u32,
}

impl<'a> MapTable<'a> {
    /// Words of record memory for `slots` slots.
    pub const fn record_words(slots: u64) -> u64 {
        slots * 2
    }

    /// Cells of index memory for `slots` slots: 7/4 as many, so that a search ends after 1.7 cells when it
    /// finds and 3.2 when it does not (linear probing at a load of 4/7).
    pub const fn index_cells(slots: u64) -> u64 {
        slots + slots / 4 * 3 + 4
    }

    /// An empty table over zeroed memory. The slots it can hold are half of `records`, at most
    /// [`MAX_SLOTS`] and fewer than `index` has cells.
    pub fn new(records: &'a [AtomicU64], index: &'a [AtomicU32]) -> Self {
        let slots = (records.len() / 2).min(MAX_SLOTS as usize).min(index.len().saturating_sub(1));
        let largest = slots as u64 + u64::from(FIRST);
        let bits = 64 - largest.leading_zeros();
        let slot_mask = if bits >= 32 { u32::MAX } else { (1 << bits) - 1 };
        let records = records.as_chunks().0;
        Self { records: records.get(..slots).unwrap_or(records), index, slot_mask }
    }

    /// How many slots the table has room for.
    pub fn slots(&self) -> u32 {
        self.records.len() as u32
    }

    /// The block's hash: two rounds of multiplication, for the high half chooses the cell and the low is kept in
    /// the cell. Few operations matter more than many bits well mixed: the shorter a lookup, the more of them
    /// wait for the memory together.
    #[inline]
    fn hash(block: BlockIndex) -> u64 {
        let wide = u128::from(block.0) * 0x9e37_79b9_7f4a_7c15;
        ((wide >> 64) as u64 ^ wide as u64).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.index.len() as u128) >> 64) as usize
    }

    #[inline]
    fn next(&self, cell: usize) -> usize {
        if cell + 1 < self.index.len() { cell + 1 } else { 0 }
    }

    #[inline]
    fn cell_value(&self, hash: u64, slot: SlotIndex) -> u32 {
        (hash as u32 & !self.slot_mask) | (slot.0 + FIRST)
    }

    #[inline]
    fn record_at(&self, slot: u32) -> Option<(&AtomicU64, &AtomicU64)> {
        let [key, value] = self.records.get(slot as usize)?;
        Some((key, value))
    }

    /// Where `block` is mapped, if it is. Wait-free: at most one pass over the index, and in a table whose
    /// mappings do not change meanwhile no cell is read twice.
    #[inline]
    pub fn lookup(&self, block: BlockIndex) -> Option<Mapping> {
        self.find(block).map(|(_, mapping)| mapping)
    }

    #[inline]
    fn find(&self, block: BlockIndex) -> Option<(usize, Mapping)> {
        let hash = Self::hash(block);
        let print = hash as u32 & !self.slot_mask;
        let mut at = self.home(hash);
        for _ in 0..self.index.len() {
            let cell = self.index.get(at)?;
            let mut value = cell.load(Ordering::Acquire);
            loop {
                if value == EMPTY {
                    return None;
                }
                if value == REMOVED || value & !self.slot_mask != print {
                    break;
                }
                let slot = (value & self.slot_mask).wrapping_sub(FIRST);
                if let Some(mapping) = self.read(SlotIndex(slot), block) {
                    return Some((at, mapping));
                }
                // Another block's cell; or this block moved to another slot since the cell was read, which
                // changes the cell before it clears the record.
                let again = cell.load(Ordering::Acquire);
                if again == value {
                    break;
                }
                value = again;
            }
            at = self.next(at);
        }
        None
    }

    /// The mapping in `slot` if it is `block`'s. The key is read on both sides of the value: a slot that is
    /// given to another block meanwhile has its key cleared before its value changes.
    #[inline]
    fn read(&self, slot: SlotIndex, block: BlockIndex) -> Option<Mapping> {
        let (key, value) = self.record_at(slot.0)?;
        if key.load(Ordering::Acquire) != block.0 {
            return None;
        }
        let word = value.load(Ordering::Acquire);
        if key.load(Ordering::Acquire) != block.0 {
            return None;
        }
        let (masks, version) = Record::used_from_word(word)?;
        Some(Mapping { slot, masks, version })
    }

    /// The record of `slot`; [`Record::Free`] for a slot that does not exist.
    pub fn record(&self, slot: SlotIndex) -> Record {
        self.record_at(slot.0)
            .and_then(|(key, value)| {
                Record::from_words(key.load(Ordering::Acquire), value.load(Ordering::Acquire))
            })
            .unwrap_or(Record::Free)
    }

    /// Writes a record that no index cell leads to. For loading, before [`insert_loaded`](Self::insert_loaded).
    pub(crate) fn store_record(&self, slot: SlotIndex, record: Record) {
        let Some((key, value)) = self.record_at(slot.0) else { return };
        let (new_key, new_value) = record.to_words();
        key.store(NO_BLOCK, Ordering::Release);
        value.store(new_value, Ordering::Release);
        key.store(new_key, Ordering::Release);
    }

    /// Enters the used record of `slot` into the index. Returns the slot that already stands for the same
    /// block, if one does; the index is then unchanged.
    pub(crate) fn insert_loaded(&self, slot: SlotIndex) -> Result<(), SlotIndex> {
        let Record::Used { block, .. } = self.record(slot) else { return Ok(()) };
        if let Some(present) = self.lookup(block) {
            return Err(present.slot);
        }
        self.link(block, slot);
        Ok(())
    }

    /// Makes the used record of `new` stand for its block in the place of `old`.
    pub(crate) fn relink(&self, old: SlotIndex, new: SlotIndex) {
        let Record::Used { block, .. } = self.record(new) else { return };
        if let Some((at, mapping)) = self.find(block)
            && mapping.slot == old
            && let Some(cell) = self.index.get(at)
        {
            cell.store(self.cell_value(Self::hash(block), new), Ordering::Release);
        }
    }

    fn link(&self, block: BlockIndex, slot: SlotIndex) {
        let hash = Self::hash(block);
        let mut at = self.home(hash);
        for _ in 0..self.index.len() {
            let Some(cell) = self.index.get(at) else { return };
            if cell.load(Ordering::Acquire) < FIRST {
                cell.store(self.cell_value(hash, slot), Ordering::Release);
                return;
            }
            at = self.next(at);
        }
    }

    /// Makes `slot` stand for `block`: a new mapping, changed masks, or a block carried to another slot.
    pub fn insert(&self, block: BlockIndex, slot: SlotIndex, masks: Masks, version: u8) {
        let record = Record::Used { block, masks, version };
        match self.find(block) {
            Some((_, present)) if present.slot == slot => {
                if let Some((_, value)) = self.record_at(slot.0) {
                    value.store(record.to_words().1, Ordering::Release);
                }
            }
            Some((at, present)) => {
                self.store_record(slot, record);
                if let Some(cell) = self.index.get(at) {
                    cell.store(self.cell_value(Self::hash(block), slot), Ordering::Release);
                }
                self.store_record(present.slot, Record::Free);
            }
            None => {
                self.store_record(slot, record);
                self.link(block, slot);
            }
        }
    }

    /// Takes `block` out of the table, if it is there; its slot's record becomes free.
    pub fn remove(&self, block: BlockIndex) {
        let Some((at, present)) = self.find(block) else { return };
        self.unlink(at);
        self.store_record(present.slot, Record::Free);
    }

    /// Empties a cell. A cell whose follower is empty ends searches as well as a removed one prolongs them,
    /// so the run of removed cells before it is swept too.
    fn unlink(&self, at: usize) {
        let Some(cell) = self.index.get(at) else { return };
        cell.store(REMOVED, Ordering::Release);
        let follower = self.index.get(self.next(at)).map(|c| c.load(Ordering::Acquire));
        if follower != Some(EMPTY) {
            return;
        }
        let mut at = at;
        for _ in 0..self.index.len() {
            let Some(cell) = self.index.get(at) else { return };
            if cell.load(Ordering::Acquire) != REMOVED {
                return;
            }
            cell.store(EMPTY, Ordering::Release);
            at = at.checked_sub(1).unwrap_or(self.index.len() - 1);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
