//! What is found on disks.

use super::{MARKS, find_data, find_signature};
use crate::disk::{Disk, MemoryDisk};
use crate::members::Finding;
use remap_core::{Sector, SectorRange};

const BYTES: usize = 4 << 20;

fn found_with(at: usize, bytes: &[u8]) -> Option<String> {
    let disk = MemoryDisk::new((BYTES / 512) as u64);
    disk.corrupt(|image| image[at..at + bytes.len()].copy_from_slice(bytes));
    find_signature(&disk).unwrap().map(|found| found.to_string())
}

#[test]
fn every_mark_is_found_by_its_name() {
    for mark in MARKS {
        assert_eq!(found_with(mark.at, mark.magic).as_deref(), Some(mark.name));
    }
}

#[test]
fn a_blank_disk_has_none() {
    assert_eq!(found_with(0, &[]), None);
}

#[test]
fn marks_at_the_end_are_found() {
    let md = b"\xfc\x4e\x2b\xa9";
    assert!(found_with(BYTES - 8192, md).unwrap().contains("MD RAID"));
    assert!(found_with(BYTES - 65536, md).unwrap().contains("MD RAID"));
    assert!(found_with(BYTES - 512, b"EFI PART").unwrap().contains("GPT"));
}

#[test]
fn a_zfs_label_is_found_in_either_byte_order() {
    let magic = 0x00ba_b10c_u64;
    assert!(found_with(128 * 1024 + 5 * 1024, &magic.to_le_bytes()).unwrap().contains("ZFS"));
    assert!(found_with(128 * 1024, &magic.to_be_bytes()).unwrap().contains("ZFS"));
}

#[test]
fn headers_of_earlier_dm_remaps_are_told_apart() {
    let mut header = [0; 512];
    header[..4].copy_from_slice(&0x444d_5234_u32.to_le_bytes());
    header[4] = 4;
    assert!(found_with(0, &header).unwrap().contains("1.0"));
    header[32..36].copy_from_slice(&512_u32.to_le_bytes());
    assert!(found_with(0, &header).unwrap().contains("v4.2"));
    assert!(found_with(512 * 512, &header).unwrap().contains("dm-remap"));
}

#[test]
fn a_disk_smaller_than_the_places_looked_at_has_none() {
    assert_eq!(find_signature(&MemoryDisk::new(1)).unwrap(), None);
    assert_eq!(find_signature(&MemoryDisk::new(8).with_blocks(4096, 4096)).unwrap(), None);
}

#[test]
fn a_partition_table_is_told_by_what_it_is_of() {
    let disk = MemoryDisk::new((BYTES / 512) as u64);
    disk.corrupt(|image| {
        image[510..512].copy_from_slice(b"\x55\xaa");
        image[512..520].copy_from_slice(b"EFI PART");
    });
    let found = find_signature(&disk).unwrap().unwrap();
    assert!(found.to_string().contains("GPT"));
}

#[test]
fn data_is_found_by_its_first_sector() {
    let disk = MemoryDisk::new(10000);
    disk.corrupt(|image| image[7000 * 512 + 1] = 1);
    let all = [SectorRange::new(Sector(0), disk.facts().sectors)];
    assert_eq!(find_data(&disk, &all), Ok(Some(Finding::Data { sector: 7000 })));
    assert_eq!(find_data(&disk, &[SectorRange::new(Sector(0), 7000)]), Ok(None));
}
