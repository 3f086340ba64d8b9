//! A spare may hold anything. What parses is a set that makes sense, and is written as it was read.
#![no_main]

use crc::{CRC_32_ISCSI, Crc};
use libfuzzer_sys::fuzz_target;
use remap_core::format::superblock::{MAGIC, Superblock};
use remap_core::layout::{PAGE_BYTES, RECORDS_PER_PAGE};
use remap_core::map::MAX_SLOTS;
use uuid::Uuid;

/// Where magic, version and checksum lie.
const VERSION: std::ops::Range<usize> = 8..12;
const CHECKSUM: std::ops::Range<usize> = 12..16;

fuzz_target!(|input: &[u8]| {
    check(input);
    // The same with the first obstacles out of the way.
    let mut bytes = [0; PAGE_BYTES];
    let length = input.len().min(PAGE_BYTES);
    bytes[..length].copy_from_slice(&input[..length]);
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    bytes[VERSION].copy_from_slice(&1u32.to_le_bytes());
    bytes[CHECKSUM].fill(0);
    let checksum = Crc::<u32>::new(&CRC_32_ISCSI).checksum(&bytes);
    bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    check(&bytes);
});

fn check(bytes: &[u8]) {
    let Ok(superblock) = Superblock::parse(bytes) else { return };
    let mut again = [0xaa; PAGE_BYTES];
    superblock.encode(&mut again);
    assert_eq!(again[..], bytes[..PAGE_BYTES]);
    assert!(superblock.records() <= MAX_SLOTS);
    for member in &superblock.members {
        let layout = superblock.layout_of(member).expect("every member has a layout");
        assert!((1..=layout.slots()).contains(&member.slots));
        let behind = |start: remap_core::Sector, sectors| start.0 + sectors <= member.sectors;
        assert!(behind(layout.slot_address(member.slots - 1), superblock.block_size.sectors().into()));
        assert!(behind(layout.page_address(superblock.copies - 1, superblock.pages() - 1), 8));
        let first = member.first_page;
        assert_eq!(superblock.owner_of(first).map(|owner| superblock.members[owner].uuid), Some(member.uuid));
        assert!(u64::from(first) * u64::from(RECORDS_PER_PAGE) <= u64::from(u32::MAX));
    }
    // Whatever is planned from it can be read again.
    for sectors in [0, 20_000, 1 << 30, u64::MAX] {
        if let Ok(next) = superblock.plan_add(Uuid::from_u128(1), sectors) {
            next.encode(&mut again);
            assert!(Superblock::parse(&again).is_ok());
        }
    }
    if let Ok(next) = superblock.plan_remove(0) {
        next.encode(&mut again);
        assert!(Superblock::parse(&again).is_ok());
    }
}
