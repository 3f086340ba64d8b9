//! The changes of the batch at work: what the next commit will write, and nobody else sees yet.

use crate::layout::RECORDS_PER_PAGE;
use crate::map::Mapping;
use crate::record::Record;
use crate::units::{BlockIndex, SlotIndex};
use arrayvec::ArrayVec;

/// How many changes one commit takes.
pub const MAX_CHANGES: usize = 512;

/// How many changes the work on one block can make; less room than that asks for a commit first.
pub const CHANGES_PER_BLOCK: usize = 16;

/// In which of a commit's two steps a change becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// New mappings, changed masks, slots freed by unmapping, fresh slots that failed.
    First,
    /// Slots whose block has gone to another: only once the block's new mapping is durable.
    Second,
}

/// One slot's new record.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub slot: SlotIndex,
    pub record: Record,
    pub step: Step,
}

/// A bounded list of changes, at most one for a slot and step.
#[derive(Debug, Default)]
pub struct Changes {
    list: ArrayVec<Change, MAX_CHANGES>,
}

impl Changes {
    pub const fn new() -> Self {
        Self { list: ArrayVec::new_const() }
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether the work on a further block fits.
    pub fn has_room(&self) -> bool {
        self.list.remaining_capacity() >= CHANGES_PER_BLOCK
    }

    pub fn clear(&mut self) {
        self.list.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.list.iter()
    }

    /// Adds a change, in the place of an earlier one of the same slot and step. `false` if there is no room.
    pub fn set(&mut self, slot: SlotIndex, record: Record, step: Step) -> bool {
        match self.list.iter_mut().find(|change| change.slot == slot && change.step == step) {
            Some(change) => {
                change.record = record;
                true
            }
            None => self.list.try_push(Change { slot, record, step }).is_ok(),
        }
    }

    /// Where `block` will be mapped. Of several slots the one it was carried to last.
    pub fn mapping_of(&self, block: BlockIndex) -> Option<Mapping> {
        self.list.iter().rev().find_map(|change| match change.record {
            Record::Used { block: mapped, masks, version } if mapped == block => {
                Some(Mapping { slot: change.slot, masks, version })
            }
            _ => None,
        })
    }

    /// Whether `slot` is about to be freed or retired.
    pub fn frees(&self, slot: SlotIndex) -> bool {
        self.list.iter().any(|change| change.slot == slot && !matches!(change.record, Record::Used { .. }))
    }

    /// The first page after `after` that has changes of `step`.
    pub fn next_page(&self, after: Option<u32>, step: Step) -> Option<u32> {
        self.list
            .iter()
            .filter(|change| change.step == step)
            .map(|change| change.slot.0 / RECORDS_PER_PAGE)
            .filter(|page| after.is_none_or(|after| *page > after))
            .min()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
