use remap_core::{Sector, SectorRange};

use super::{Mark, draw, scale};

#[test]
fn a_stretch_shows_the_worst_that_is_in_it() {
    let range = |start, sectors| SectorRange::new(Sector(start), sectors);
    let marked = [(range(0, 1), Mark::Lost), (range(1, 20), Mark::Moved), (range(1020, 100), Mark::Bad)];
    let map = draw(1024, 2, &marked, "  ");
    assert_eq!(scale(1024, 2), "4 KiB");
    assert_eq!(map.lines().count(), 2);
    assert!(map.starts_with("  Lmm...."));
    assert!(map.ends_with(".x\n"));
}

#[test]
fn a_small_disk_needs_no_second_line() {
    assert_eq!(draw(16, 4, &[], ""), "..\n");
}
