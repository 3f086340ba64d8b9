use super::*;
use crate::record::Masks;
use crate::tests::{memory, new_set, set, spares};
use crate::units::BlockIndex;

/// A set of 5 MiB and 3 sectors, on two spares.
fn superblock() -> Superblock {
    Superblock::plan(&new_set(10_243, &spares(&[20_000, 20_000]))).unwrap()
}

fn map(set: &Set<'_>, block: u64, slot: u32, moved: u16, lost: u16) {
    set.mark_region(set.block_size().first_sector(BlockIndex(block)));
    set.table.insert(BlockIndex(block), SlotIndex(slot), Masks { moved, lost, stale: 0 }, 0);
}

fn range(start: u64, sectors: u64) -> SectorRange {
    SectorRange::new(Sector(start), sectors)
}

/// Where slot `slot` lies, from its sector `offset` on.
fn at(set: &Set<'_>, slot: u32, offset: u64) -> Target {
    let (index, base) = set.slot_address(SlotIndex(slot)).unwrap();
    Target::Spare { index, start: Sector(base.0 + offset) }
}

/// Resolves all of a range, piece by piece.
fn pieces(set: &Set<'_>, whole: SectorRange) -> std::vec::Vec<(Target, u64)> {
    let mut pieces = std::vec::Vec::new();
    let mut done = 0;
    while done < whole.sectors {
        let piece = set.resolve(range(whole.start.0 + done, whole.sectors - done));
        assert!(piece.sectors > 0 && done + piece.sectors <= whole.sectors, "{piece:?} of {whole}");
        pieces.push((piece.target, piece.sectors));
        done += piece.sectors;
    }
    pieces
}

#[test]
fn an_empty_set_is_all_main_in_one_piece() {
    let set = set(&superblock());
    assert_eq!(set.resolve(range(0, 10_243)), Piece { target: Target::Main, sectors: 10_243 });
    assert_eq!(set.resolve(range(10_242, 1)), Piece { target: Target::Main, sectors: 1 });
}

#[test]
fn a_block_goes_to_its_slot_its_lost_sectors_nowhere_and_the_rest_to_main() {
    let set = set(&superblock());
    map(&set, 2, 7, 0b0000_1100, 0b0011_0000);
    assert_eq!(
        pieces(&set, range(8, 24)),
        [(Target::Main, 10), (at(&set, 7, 2), 2), (Target::Lost, 2), (Target::Main, 10)]
    );
    assert_eq!(set.resolve(range(19, 1)), Piece { target: at(&set, 7, 3), sectors: 1 });
}

#[test]
fn a_piece_is_never_longer_than_what_was_asked_for() {
    let set = set(&superblock());
    map(&set, 0, 0, 0xff, 0);
    map(&set, 1, 5, 0, 0xff);
    for block in 0..4 {
        for offset in 0..8 {
            for sectors in 1..=8 - offset {
                assert_eq!(set.resolve(range(block * 8 + offset, sectors)).sectors, sectors);
            }
        }
    }
}

#[test]
fn neighbouring_slots_are_one_piece_and_distant_ones_are_not() {
    let set = set(&superblock());
    map(&set, 10, 20, 0xff, 0);
    map(&set, 11, 21, 0xff, 0);
    map(&set, 12, 23, 0xff, 0);
    map(&set, 13, 22, 0x0f, 0);
    assert_eq!(
        pieces(&set, range(80, 40)),
        [(at(&set, 20, 0), 16), (at(&set, 23, 0), 8), (at(&set, 22, 0), 4), (Target::Main, 12)]
    );
}

#[test]
fn slots_on_either_side_of_a_page_area_or_a_spare_are_not_neighbours() {
    let superblock = superblock();
    let set = set(&superblock);
    let layout = set.spares()[0].layout;
    let behind_area = (1..layout.slots())
        .find(|slot| layout.slot_address(*slot).0 != layout.slot_address(slot - 1).0 + 8)
        .unwrap();
    map(&set, 100, behind_area - 1, 0xff, 0);
    map(&set, 101, behind_area, 0xff, 0);
    assert_eq!(pieces(&set, range(800, 16)).len(), 2);
    let second = set.spares()[1].first_slot;
    map(&set, 200, set.spares()[0].slots - 1, 0xff, 0);
    map(&set, 201, second, 0xff, 0);
    assert_eq!(
        pieces(&set, range(1600, 16)),
        [(at(&set, set.spares()[0].slots - 1, 0), 8), (at(&set, second, 0), 8)]
    );
    assert_eq!(set.spare_of(SlotIndex(second)), Some((1, 0)));
    assert_eq!(set.spare_of(SlotIndex(set.spares()[0].slots)), None);
}

#[test]
fn lost_runs_of_neighbouring_blocks_are_one_piece() {
    let set = set(&superblock());
    map(&set, 3, 1, 0x0f, 0xf0);
    map(&set, 4, 2, 0, 0x07);
    assert_eq!(pieces(&set, range(24, 16)), [(at(&set, 1, 0), 4), (Target::Lost, 7), (Target::Main, 5)]);
}

#[test]
fn what_comes_before_a_held_range_goes_ahead_and_the_rest_is_busy() {
    let set = set(&superblock());
    map(&set, 1, 3, 0xff, 0);
    set.held.hold(range(16, 8));
    assert_eq!(pieces(&set, range(0, 40)), [(Target::Main, 8), (at(&set, 3, 0), 8), (Target::Busy, 24)]);
    assert_eq!(set.resolve(range(24, 8)).target, Target::Main);
    set.held.hold(range(4, 1));
    assert_eq!(set.resolve(range(0, 40)), Piece { target: Target::Main, sectors: 4 });
    set.held.release_all();
    assert_eq!(pieces(&set, range(0, 40)).len(), 3);
}

#[test]
fn the_last_block_of_an_odd_size_resolves_to_its_end() {
    let set = set(&superblock());
    map(&set, 1280, 9, 0b010, 0b100);
    assert_eq!(pieces(&set, range(10_232, 11)), [(Target::Main, 9), (at(&set, 9, 1), 1), (Target::Lost, 1)]);
}

#[test]
fn a_missing_spare_reads_lost_and_the_others_do_not() {
    let superblock = superblock();
    let set = Set::new(&superblock, &[true, false], memory(&superblock)).unwrap();
    assert_eq!(set.spares()[1].state(), SpareState::Missing);
    let there = set.spares()[1].first_slot;
    map(&set, 0, 0, 0xff, 0);
    map(&set, 1, there, 0x0f, 0);
    assert_eq!(pieces(&set, range(0, 16)), [(at(&set, 0, 0), 8), (Target::Lost, 4), (Target::Main, 4)]);
}

#[test]
fn a_range_across_regions_finds_the_mapping_in_any_of_them() {
    let set = set(&superblock());
    map(&set, 2 * 256 + 1, 4, 1, 0);
    assert_eq!(
        pieces(&set, range(2000, 4000)),
        [(Target::Main, 2104), (at(&set, 4, 0), 1), (Target::Main, 1895)]
    );
    assert_eq!(set.resolve(range(0, 4096)), Piece { target: Target::Main, sectors: 4096 });
}

#[test]
fn every_block_size_resolves_sector_by_sector() {
    for sectors in [1u32, 2, 4, 8, 16] {
        let spares = spares(&[40_000]);
        let mut new = new_set(4096, &spares);
        new.block_size = BlockSize::from_sectors(sectors).unwrap();
        let set = set(&Superblock::plan(&new).unwrap());
        let full = new.block_size.full_mask();
        map(&set, 5, 1, full & 0x5555, full & 0xaaaa);
        for offset in 0..u64::from(sectors) {
            let expected = if offset % 2 == 0 { at(&set, 1, offset) } else { Target::Lost };
            let start = 5 * u64::from(sectors) + offset;
            assert_eq!(set.resolve(range(start, 1)).target, expected, "{sectors} sectors, {offset}");
        }
        assert_eq!(set.resolve(range(0, 5 * u64::from(sectors))).target, Target::Main);
        assert_eq!(set.resolve(range(6 * u64::from(sectors), 1)).target, Target::Main);
    }
}

#[test]
fn too_little_memory_makes_no_set() {
    let superblock = superblock();
    let whole = memory(&superblock);
    let short = |memory: SetMemory<'static>| Set::new(&superblock, &[true, true], memory).is_none();
    assert!(!short(whole));
    assert!(short(SetMemory { filter: &whole.filter[1..], ..whole }));
    assert!(short(SetMemory { records: &whole.records[1..], ..whole }));
    assert!(short(SetMemory { index: &whole.index[1..], ..whole }));
}

#[test]
fn states_are_told_as_they_were_set() {
    let set = set(&superblock());
    for state in [SetState::Failing, SetState::ReadOnly, SetState::Active] {
        set.change_state(state);
        assert_eq!(set.state(), state);
    }
    for (state, writable) in [
        (SpareState::Missing, false),
        (SpareState::Offline, false),
        (SpareState::Draining, true),
        (SpareState::Present, true),
    ] {
        set.spares()[0].change_state(state);
        assert_eq!((set.spares()[0].state(), set.spares()[0].is_writable()), (state, writable));
    }
}
