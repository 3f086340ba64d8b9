//! Readers beside the writer, in every interleaving that the memory model allows.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p remap-core --release --test loom_map`.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::fence;
use loom::thread;
use remap_core::held::HeldRanges;
use remap_core::map::{MapTable, Mapping};
use remap_core::record::Masks;
use remap_core::sync::{AtomicU32, AtomicU64, Ordering};
use remap_core::{BlockIndex, Sector, SectorRange, SlotIndex};

const SLOTS: u64 = 3;
const A: BlockIndex = BlockIndex(11);
const B: BlockIndex = BlockIndex(22);

/// Tries the interleavings in which threads are interrupted three times at most: all of them are too many, and
/// what takes more interruptions than that to show has not been seen.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// A table that threads can share. loom's atomics are made anew in every interleaving, so that the memory is
/// leaked: some kilobytes a test.
fn table() -> Arc<MapTable<'static>> {
    let words: Vec<_> = (0..MapTable::record_words(SLOTS)).map(|_| AtomicU64::new(0)).collect();
    let cells: Vec<_> = (0..MapTable::index_cells(SLOTS)).map(|_| AtomicU32::new(0)).collect();
    Arc::new(MapTable::new(words.leak(), cells.leak()))
}

/// Masks by which a block's mapping is known.
fn masks(moved: u16) -> Masks {
    Masks { moved, lost: !moved & 0xff, stale: 0 }
}

fn mapping(slot: u32, moved: u16, version: u8) -> Mapping {
    Mapping { slot: SlotIndex(slot), masks: masks(moved), version }
}

#[test]
fn a_reader_sees_a_new_mapping_whole_or_not_at_all() {
    model(|| {
        let table = table();
        let writer = {
            let table = Arc::clone(&table);
            thread::spawn(move || table.insert(A, SlotIndex(1), masks(0x0f), 3))
        };
        let seen = table.lookup(A);
        assert!(seen.is_none() || seen == Some(mapping(1, 0x0f, 3)), "{seen:?}");
        writer.join().unwrap();
        assert_eq!(table.lookup(A), Some(mapping(1, 0x0f, 3)));
    });
}

#[test]
fn a_reader_sees_changed_masks_old_or_new() {
    model(|| {
        let table = table();
        table.insert(A, SlotIndex(1), masks(0x01), 0);
        let writer = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                table.insert(A, SlotIndex(1), masks(0x03), 0);
                table.insert(A, SlotIndex(1), masks(0xff), 0);
            })
        };
        let mut last = 0x01;
        for _ in 0..2 {
            let seen = table.lookup(A).expect("the block stays mapped");
            assert_eq!(seen, mapping(1, seen.masks.moved, 0));
            assert!(seen.masks.moved >= last, "never back to the old");
            last = seen.masks.moved;
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_block_carried_to_another_slot_is_never_missed() {
    model(|| {
        let table = table();
        table.insert(A, SlotIndex(0), masks(0x01), 0);
        let writer = {
            let table = Arc::clone(&table);
            thread::spawn(move || table.insert(A, SlotIndex(1), masks(0x03), 1))
        };
        let seen = table.lookup(A);
        assert!(seen == Some(mapping(0, 0x01, 0)) || seen == Some(mapping(1, 0x03, 1)), "{seen:?}");
        writer.join().unwrap();
    });
}

#[test]
fn a_block_carried_twice_is_never_missed() {
    model(|| {
        let table = table();
        table.insert(A, SlotIndex(0), masks(0x01), 0);
        let writer = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                table.insert(A, SlotIndex(1), masks(0x03), 1);
                table.insert(A, SlotIndex(2), masks(0x07), 2);
            })
        };
        let seen = table.lookup(A).expect("the block stays mapped");
        let expected = [mapping(0, 0x01, 0), mapping(1, 0x03, 1), mapping(2, 0x07, 2)];
        assert!(expected.contains(&seen), "{seen:?}");
        writer.join().unwrap();
    });
}

#[test]
fn a_removed_block_is_there_whole_or_gone() {
    model(|| {
        let table = table();
        table.insert(A, SlotIndex(1), masks(0x0f), 3);
        let writer = {
            let table = Arc::clone(&table);
            thread::spawn(move || table.remove(A))
        };
        let seen = table.lookup(A);
        assert!(seen.is_none() || seen == Some(mapping(1, 0x0f, 3)), "{seen:?}");
        writer.join().unwrap();
        assert_eq!(table.lookup(A), None);
    });
}

#[test]
fn a_slot_given_to_another_block_is_never_taken_for_the_first_ones() {
    model(|| {
        let table = table();
        table.insert(A, SlotIndex(0), masks(0x01), 0);
        let writer = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                table.remove(A);
                table.insert(B, SlotIndex(0), masks(0x70), 7);
            })
        };
        let seen = table.lookup(A);
        assert!(seen.is_none() || seen == Some(mapping(0, 0x01, 0)), "{seen:?}");
        let seen = table.lookup(B);
        assert!(seen.is_none() || seen == Some(mapping(0, 0x70, 7)), "{seen:?}");
        writer.join().unwrap();
    });
}

#[test]
fn a_block_that_stays_mapped_is_found_while_its_neighbours_come_and_go() {
    // Blocks whose searches start in one cell, so that the others' cells lie on the way.
    let crowd: Vec<BlockIndex> = crowd();
    model(move || {
        let table = table();
        table.insert(crowd[0], SlotIndex(0), masks(0x01), 0);
        table.insert(crowd[1], SlotIndex(1), masks(0x02), 0);
        let writer = {
            let (table, crowd) = (Arc::clone(&table), crowd.clone());
            thread::spawn(move || {
                table.remove(crowd[0]);
                table.insert(crowd[2], SlotIndex(0), masks(0x04), 0);
            })
        };
        assert_eq!(table.lookup(crowd[1]), Some(mapping(1, 0x02, 0)));
        writer.join().unwrap();
        assert_eq!(table.lookup(crowd[2]), Some(mapping(0, 0x04, 0)));
    });
}

/// Three blocks that start in the cell that the first starts in: a table of one of them leaves the next its
/// neighbour. Found by trying, through what a full table tells of where it put them.
fn crowd() -> Vec<BlockIndex> {
    let home = |block: u64| {
        let wide = u128::from(block) * 0x9e37_79b9_7f4a_7c15;
        let h = ((wide >> 64) as u64 ^ wide as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        ((u128::from(h) * u128::from(MapTable::index_cells(SLOTS))) >> 64) as u64
    };
    (0..).filter(|block| home(*block) == home(0)).take(3).map(BlockIndex).collect()
}

/// The bargain of a hold: a request announces itself and then looks; the writer holds and then drains.
#[test]
fn a_request_sees_the_hold_or_the_drain_sees_the_request() {
    model(|| {
        let held = Arc::new(HeldRanges::default());
        let announced = Arc::new(AtomicU32::new(0));
        let request = {
            let (held, announced) = (Arc::clone(&held), Arc::clone(&announced));
            thread::spawn(move || {
                announced.fetch_add(1, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                !held.touches(SectorRange::new(Sector(12), 1))
            })
        };
        assert!(held.hold(SectorRange::new(Sector(8), 8)));
        fence(Ordering::SeqCst);
        let drain_sees_it = announced.load(Ordering::Acquire) != 0;
        let goes_ahead = request.join().unwrap();
        assert!(!goes_ahead || drain_sees_it, "a request is under way in a held range");
    });
}

/// Between two batches: whoever no longer sees the first batch's hold sees what that batch published.
#[test]
fn a_request_that_no_longer_sees_a_hold_sees_what_was_published_under_it() {
    model(|| {
        let held = Arc::new(HeldRanges::default());
        let published = Arc::new(AtomicU32::new(0));
        let block = SectorRange::new(Sector(8), 8);
        assert!(held.hold(block));
        let request = {
            let (held, published) = (Arc::clone(&held), Arc::clone(&published));
            thread::spawn(move || {
                if !held.touches(block) {
                    assert_eq!(
                        published.load(Ordering::Acquire),
                        1,
                        "the request resolves by the old mapping"
                    );
                }
                let mut free = true;
                held.for_each(|range| free &= !range.overlaps(block));
                if free {
                    assert_eq!(
                        published.load(Ordering::Acquire),
                        1,
                        "the request resolves by the old mapping"
                    );
                }
            })
        };
        published.store(1, Ordering::Release);
        held.release_all();
        assert!(held.hold(SectorRange::new(Sector(800), 8)));
        request.join().unwrap();
    });
}
