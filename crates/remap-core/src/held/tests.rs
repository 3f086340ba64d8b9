use super::*;
use crate::units::Sector;
use std::vec::Vec;

fn range(start: u64, sectors: u64) -> SectorRange {
    SectorRange::new(Sector(start), sectors)
}

#[test]
fn nothing_is_held_at_first() {
    let held = HeldRanges::default();
    assert!(!held.touches(range(0, u64::MAX)));
    held.for_each(|range| panic!("{range} is held"));
}

#[test]
fn a_held_range_is_touched_from_its_first_sector_to_its_last() {
    let held = HeldRanges::default();
    assert!(held.hold(range(100, 8)));
    for (asked, touches) in
        [(range(92, 8), false), (range(92, 9), true), (range(107, 1), true), (range(108, 8), false)]
    {
        assert_eq!(held.touches(asked), touches, "{asked}");
    }
    assert!(held.touches(range(0, 1 << 54)));
}

#[test]
fn ranges_are_held_until_all_are_released() {
    let held = HeldRanges::default();
    held.hold(range(0, 8));
    held.hold(range(80, 16));
    let mut seen = Vec::new();
    held.for_each(|range| seen.push(range));
    assert_eq!(seen, [range(0, 8), range(80, 16)]);
    held.release_all();
    assert!(!held.touches(range(0, 1000)));
}

#[test]
fn a_whole_batch_fits_and_no_more() {
    let held = HeldRanges::default();
    for n in 0..MAX_HELD as u64 {
        assert!(held.hold(range(n * 16, 8)));
    }
    assert!(!held.hold(range(1 << 20, 8)));
    assert!(!held.touches(range(1 << 20, 8)));
    assert!(held.touches(range((MAX_HELD as u64 - 1) * 16, 1)));
    assert!(!held.touches(range((MAX_HELD as u64 - 1) * 16 + 8, 8)));
}
