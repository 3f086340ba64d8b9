use super::*;
use crate::record::Masks;

fn used(block: u64, moved: u16) -> Record {
    Record::Used { block: BlockIndex(block), masks: Masks { moved, lost: 0, stale: 0 }, version: 0 }
}

#[test]
fn a_slot_has_one_change_in_each_step() {
    let mut changes = Changes::default();
    assert!(changes.set(SlotIndex(4), used(1, 1), Step::First));
    assert!(changes.set(SlotIndex(4), used(1, 3), Step::First));
    assert!(changes.set(SlotIndex(4), Record::Free, Step::Second));
    assert_eq!(changes.iter().count(), 2);
    assert_eq!(changes.mapping_of(BlockIndex(1)).map(|mapping| mapping.masks.moved), Some(3));
    changes.clear();
    assert!(changes.is_empty());
}

#[test]
fn of_several_slots_the_one_a_block_was_carried_to_last_counts() {
    let mut changes = Changes::default();
    changes.set(SlotIndex(9), used(1, 1), Step::First);
    changes.set(SlotIndex(2), used(1, 1), Step::First);
    assert_eq!(changes.mapping_of(BlockIndex(1)).map(|mapping| mapping.slot), Some(SlotIndex(2)));
    assert_eq!(changes.mapping_of(BlockIndex(2)), None);
}

#[test]
fn a_slot_that_is_freed_or_retired_is_told_from_one_that_is_used() {
    let mut changes = Changes::default();
    changes.set(SlotIndex(1), Record::Free, Step::First);
    changes.set(SlotIndex(2), Record::Retired, Step::Second);
    changes.set(SlotIndex(3), used(1, 1), Step::First);
    assert!(changes.frees(SlotIndex(1)) && changes.frees(SlotIndex(2)));
    assert!(!changes.frees(SlotIndex(3)) && !changes.frees(SlotIndex(4)));
}

#[test]
fn pages_come_in_order_each_once_and_by_step() {
    let mut changes = Changes::default();
    for slot in [600, 10, 251, 252, 11] {
        changes.set(SlotIndex(slot), Record::Retired, Step::First);
    }
    changes.set(SlotIndex(5000), Record::Free, Step::Second);
    assert_eq!(changes.next_page(None, Step::First), Some(0));
    assert_eq!(changes.next_page(Some(0), Step::First), Some(1));
    assert_eq!(changes.next_page(Some(1), Step::First), Some(2));
    assert_eq!(changes.next_page(Some(2), Step::First), None);
    assert_eq!(changes.next_page(None, Step::Second), Some(19));
}

#[test]
fn room_is_refused_before_it_is_needed() {
    let mut changes = Changes::default();
    let mut slot = 0;
    while changes.has_room() {
        assert!(changes.set(SlotIndex(slot), Record::Retired, Step::First));
        slot += 1;
    }
    for _ in 1..CHANGES_PER_BLOCK {
        slot += 1;
        assert!(changes.set(SlotIndex(slot), Record::Retired, Step::First));
    }
    assert_eq!(changes.iter().count(), MAX_CHANGES);
    assert!(!changes.set(SlotIndex(slot + 1), Record::Retired, Step::First));
}
