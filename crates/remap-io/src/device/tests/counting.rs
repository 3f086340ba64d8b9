//! What the counters of requests say.

use remap_core::{Sector, SectorRange};

use crate::testbed::Bed;

/// Sectors of a region of the filter.
const REGION: u64 = 2048;

#[test]
fn a_piece_in_a_region_without_mappings_passes_the_filter_and_others_ask_the_table() {
    let bed = Bed::plain(4 * REGION, 1);
    let device = bed.open();
    bed.main.fail("bad-write 100 1");
    device.write(Sector(96), &[1; 4096], false).unwrap();
    let before = device.status().io;
    let mut block = [0; 4096];
    device.read(Sector(2 * REGION), &mut block).unwrap();
    device.read(Sector(96), &mut block).unwrap();
    device.read(Sector(200), &mut block).unwrap();
    let after = device.status().io;
    assert_eq!(after.filter_passes - before.filter_passes, 1, "the region of its own");
    assert_eq!(after.table_lookups - before.table_lookups, 2, "the moved block, and one of its region");
    assert_eq!(after.pieces_to_spare - before.pieces_to_spare, 1);
    assert_eq!(after.pieces_to_main - before.pieces_to_main, 2);
    assert_eq!(after.sectors_read - before.sectors_read, 24);
}

#[test]
fn kinds_of_requests_and_of_errors_are_counted_apart() {
    let bed = Bed::plain(4 * REGION, 1);
    let device = bed.open();
    bed.main.fail("bad 100 1 error=medium");
    device.discard(SectorRange::new(Sector(8), 8)).unwrap();
    device.flush().unwrap();
    let mut block = [0; 4096];
    device.read(Sector(96), &mut block).unwrap_err();
    let status = device.status();
    assert_eq!((status.io.discards, status.io.flushes, status.io.reads), (1, 1, 1));
    assert!(status.recovery.main_read_errors > 0 && status.recovery.errors_medium > 0, "{status:?}");
    assert_eq!(status.recovery.main_write_errors, 0);
    assert_eq!(status.recovery.batches, 1);
}
