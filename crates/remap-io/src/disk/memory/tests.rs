//! What a disk in memory keeps and what a power cut may take.

use super::*;

fn pattern(byte: u8, sectors: usize) -> Vec<u8> {
    vec![byte; sectors * SECTOR_BYTES]
}

fn byte_at(disk: &MemoryDisk, sector: u64) -> u8 {
    let mut data = pattern(0, 1);
    disk.read(Sector(sector), &mut data).unwrap();
    assert!(data.iter().all(|&byte| byte == data[0]), "sector {sector} is torn");
    data[0]
}

#[test]
fn what_was_written_is_read_and_the_rest_is_zero() {
    let disk = MemoryDisk::new(8);
    disk.write(Sector(2), &pattern(7, 3), false).unwrap();
    assert_eq!((0..8).map(|sector| byte_at(&disk, sector)).collect::<Vec<_>>(), [0, 0, 7, 7, 7, 0, 0, 0]);
}

#[test]
fn requests_past_the_end_or_of_part_sectors_are_refused() {
    let disk = MemoryDisk::new(8);
    assert_eq!(disk.read(Sector(7), &mut pattern(0, 2)), Err(DiskError::Unsupported));
    assert_eq!(disk.write(Sector(u64::MAX), &pattern(0, 1), false), Err(DiskError::Unsupported));
    assert_eq!(disk.read(Sector(0), &mut [0; 100]), Err(DiskError::Unsupported));
    let native = MemoryDisk::new(17).with_blocks(4096, 4096);
    assert_eq!(native.facts().sectors, 16);
    assert_eq!(native.read(Sector(1), &mut pattern(0, 8)), Err(DiskError::Unsupported));
    assert_eq!(native.discard(SectorRange::new(Sector(8), 4)), Err(DiskError::Unsupported));
    assert_eq!(native.discard(SectorRange::new(Sector(8), 8)), Ok(()));
}

#[test]
fn a_power_cut_loses_only_what_no_flush_covered() {
    let disk = MemoryDisk::with_volatile_cache(8);
    disk.write(Sector(0), &pattern(1, 2), false).unwrap();
    disk.flush().unwrap();
    disk.write(Sector(1), &pattern(2, 2), false).unwrap();
    assert_eq!(byte_at(&disk, 1), 2);
    disk.power_cut(|_| false);
    assert_eq!((byte_at(&disk, 0), byte_at(&disk, 1), byte_at(&disk, 2)), (1, 1, 0));
}

#[test]
fn a_power_cut_tears_between_sectors() {
    let disk = MemoryDisk::with_volatile_cache(8);
    disk.write(Sector(0), &pattern(9, 4), false).unwrap();
    disk.power_cut(|sector| sector.0 % 2 == 1);
    assert_eq!((0..4).map(|sector| byte_at(&disk, sector)).collect::<Vec<_>>(), [0, 9, 0, 9]);
    assert_eq!(disk.unflushed_writes(), 0);
}

#[test]
fn a_power_cut_may_leave_any_of_several_unflushed_versions() {
    let disk = MemoryDisk::with_volatile_cache(1);
    for byte in 1..=3 {
        disk.write(Sector(0), &pattern(byte, 1), false).unwrap();
    }
    let mut age = 0;
    disk.power_cut(|_| {
        age += 1;
        age == 2
    });
    assert_eq!(byte_at(&disk, 0), 2);
}

#[test]
fn a_durable_write_survives_and_vouches_for_no_other() {
    let disk = MemoryDisk::with_volatile_cache(8);
    disk.write(Sector(0), &pattern(1, 2), false).unwrap();
    disk.write(Sector(1), &pattern(2, 1), true).unwrap();
    disk.power_cut(|_| false);
    assert_eq!((byte_at(&disk, 0), byte_at(&disk, 1)), (0, 2));
}

#[test]
fn an_image_can_be_loaded_corrupted_and_taken_out() {
    let disk = MemoryDisk::from_image(pattern(5, 3));
    disk.corrupt(|bytes| bytes[SECTOR_BYTES] ^= 0x80);
    assert_eq!(disk.facts().sectors, 3);
    assert_eq!(disk.image()[SECTOR_BYTES], 0x85);
}

#[test]
fn no_two_disks_in_memory_are_the_same() {
    assert_ne!(MemoryDisk::new(1).identity(), MemoryDisk::new(1).identity());
}
