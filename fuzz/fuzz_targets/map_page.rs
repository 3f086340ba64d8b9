//! A map page may hold anything. Every record of one that parses is possible, and is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remap_core::BlockSize;
use remap_core::format::page::{self, Page};
use remap_core::layout::{PAGE_BYTES, RECORDS_PER_PAGE};
use remap_core::record::Record;

fuzz_target!(|input: &[u8]| {
    // The first byte chooses the set that the page is to belong to.
    let Some((&choice, input)) = input.split_first() else { return };
    let block_size = BlockSize::from_sectors(1 << (choice % 5)).expect("1, 2, 4, 8 or 16");
    let main_sectors = [1, 1003, 1 << 30, 1 << 54][usize::from(choice / 5 % 4)];
    check(input, block_size, main_sectors);
    // The same with the first obstacles out of the way.
    let mut bytes = [0; PAGE_BYTES];
    let length = input.len().min(PAGE_BYTES);
    bytes[..length].copy_from_slice(&input[..length]);
    bytes[..8].copy_from_slice(b"RMPG\x01\0\0\0");
    page::seal(&mut bytes);
    check(&bytes, block_size, main_sectors);
});

fn check(bytes: &[u8], block_size: BlockSize, main_sectors: u64) {
    let Ok(any) = Page::parse_any(bytes) else { return };
    let header = any.header;
    let Ok(page) = Page::parse(bytes, header.set, header.index, block_size, main_sectors) else { return };
    let mut again = [0xaa; PAGE_BYTES];
    page::begin(&mut again, header);
    for at in 0..RECORDS_PER_PAGE {
        let record = page.record(at);
        if let Record::Used { block, masks, .. } = record {
            assert!(block_size.first_sector(block).0 < main_sectors);
            assert_ne!(masks.away(), 0);
            assert_eq!(masks.away() & !block_size.full_mask(), 0);
            assert_eq!(masks.moved & masks.lost, 0);
            assert_eq!(masks.stale & !masks.lost, 0);
        }
        page::put_record(&mut again, at, record);
    }
    page::seal(&mut again);
    let again = Page::parse(&again, header.set, header.index, block_size, main_sectors).expect("its own page");
    assert_eq!(again.header, header);
    assert!((0..RECORDS_PER_PAGE).all(|at| again.record(at) == page.record(at)));
}
