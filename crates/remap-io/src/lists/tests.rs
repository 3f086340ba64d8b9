//! How ranges become one.

use remap_core::Sector;

use super::*;

fn range(start: u64, sectors: u64) -> SectorRange {
    SectorRange::new(Sector(start), sectors)
}

#[test]
fn ranges_that_touch_or_overlap_become_one() {
    let ranges = vec![range(10, 2), range(0, 4), range(4, 1), range(3, 9), range(20, 0), range(30, 1)];
    assert_eq!(merged(ranges), [range(0, 12), range(30, 1)]);
    assert_eq!(merged(vec![range(5, u64::MAX), range(6, u64::MAX)]), [range(5, u64::MAX - 5)]);
    assert_eq!(merged(Vec::new()), []);
}
