//! What every disk may count on before it looks at its medium.

use super::*;

#[test]
fn ranges_are_whole_logical_blocks_within_the_disk() {
    let facts = DiskFacts { logical_block_bytes: 4096, ..DiskFacts::plain(64) };
    assert_eq!(facts.range(Sector(8), 4096), Ok(SectorRange::new(Sector(8), 8)));
    assert_eq!(facts.range(Sector(64), 0), Ok(SectorRange::new(Sector(64), 0)));
    for (start, bytes) in [(1, 4096), (8, 512), (8, 4097), (64, 4096), (u64::MAX - 7, 4096)] {
        assert_eq!(facts.range(Sector(start), bytes), Err(DiskError::Unsupported), "{start} {bytes}");
    }
}

#[test]
fn a_pointer_to_a_disk_is_that_disk() {
    let disk = Arc::new(MemoryDisk::new(4));
    let boxed: Box<dyn Disk> = Box::new(Arc::clone(&disk));
    boxed.write(Sector(3), &[6; SECTOR_BYTES], false).unwrap();
    assert_eq!(disk.image()[3 * SECTOR_BYTES], 6);
    assert_eq!(boxed.identity(), disk.identity());
}
