use super::*;
use crate::format::superblock::Superblock;
use crate::set::MemorySizes;
use crate::tests::{new_set, set, spares};
use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

fn superblock() -> Superblock {
    Superblock::plan(&new_set(1 << 20, &spares(&[12_000, 14_000]))).unwrap()
}

fn words(superblock: &Superblock) -> Vec<u64> {
    vec![u64::MAX; MemorySizes::of(superblock).allocator_words as usize]
}

#[test]
fn every_slot_is_given_out_once_the_first_spare_first() {
    let superblock = superblock();
    let (set, mut words) = (set(&superblock), words(&superblock));
    let mut allocator = SlotAllocator::new(&mut words);
    let given: Vec<u32> = std::iter::from_fn(|| allocator.allocate(&set)).map(|slot| slot.0).collect();
    let expected: Vec<u32> =
        set.spares().iter().flat_map(|spare| spare.first_slot..spare.first_slot + spare.slots).collect();
    assert_eq!(given, expected);
    assert_eq!(allocator.allocate(&set), None);
}

#[test]
fn a_taken_slot_is_left_out_and_a_released_one_comes_back() {
    let superblock = superblock();
    let (set, mut words) = (set(&superblock), words(&superblock));
    let mut allocator = SlotAllocator::new(&mut words);
    for slot in [0, 1, 3, 63, 64] {
        allocator.take(SlotIndex(slot));
    }
    assert_eq!(allocator.allocate(&set), Some(SlotIndex(2)));
    assert_eq!(allocator.allocate(&set), Some(SlotIndex(4)));
    allocator.release(SlotIndex(1));
    assert_eq!(allocator.allocate(&set), Some(SlotIndex(1)));
    assert_eq!(allocator.allocate(&set), Some(SlotIndex(5)));
}

#[test]
fn only_spares_that_are_present_give_slots() {
    let superblock = superblock();
    let (set, mut words) = (set(&superblock), words(&superblock));
    let mut allocator = SlotAllocator::new(&mut words);
    let second = set.spares()[1].first_slot;
    for state in [SpareState::Missing, SpareState::Offline, SpareState::Draining] {
        set.spares()[0].change_state(state);
        let slot = allocator.allocate(&set).unwrap();
        assert!(slot.0 >= second, "{slot:?} while {state:?}");
    }
    set.spares()[0].change_state(SpareState::Present);
    assert_eq!(allocator.allocate(&set), Some(SlotIndex(0)));
}

#[test]
fn slots_that_do_not_exist_are_neither_given_nor_minded() {
    let superblock = superblock();
    let (set, mut words) = (set(&superblock), words(&superblock));
    let mut allocator = SlotAllocator::new(&mut words);
    allocator.take(SlotIndex(u32::MAX));
    allocator.release(SlotIndex(u32::MAX));
    while let Some(slot) = allocator.allocate(&set) {
        assert!(set.spare_of(slot).is_some(), "{slot:?}");
    }
}

#[test]
fn it_agrees_with_a_set_of_free_slots() {
    let superblock = superblock();
    let (set, mut words) = (set(&superblock), words(&superblock));
    let mut allocator = SlotAllocator::new(&mut words);
    let mut free: BTreeSet<u32> =
        set.spares().iter().flat_map(|spare| spare.first_slot..spare.first_slot + spare.slots).collect();
    let mut taken = Vec::new();
    let mut random = 5u64;
    for _ in 0..20_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if (random >> 40) % 5 < 3 {
            let slot = allocator.allocate(&set).map(|slot| slot.0);
            assert_eq!(slot, free.pop_first());
            taken.extend(slot);
        } else if !taken.is_empty() {
            let slot = taken.swap_remove((random >> 33) as usize % taken.len());
            allocator.release(SlotIndex(slot));
            free.insert(slot);
        }
    }
}
