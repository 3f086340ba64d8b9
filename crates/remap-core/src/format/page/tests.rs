use super::*;
use crate::record::Masks;
use crate::units::BlockIndex;
use proptest::prelude::*;
use std::boxed::Box;
use std::string::ToString;

const SET: Uuid = Uuid::from_u128(0x1234);
const HEADER: PageHeader = PageHeader { set: SET, index: 3, generation: 77 };
const MAIN_SECTORS: u64 = 8003;

type Bytes = Box<[u8; PAGE_BYTES]>;

fn used(block: u64, moved: u16, lost: u16, stale: u16, version: u8) -> Record {
    Record::Used { block: BlockIndex(block), masks: Masks { moved, lost, stale }, version }
}

/// A page with records of every kind.
fn page() -> Bytes {
    let mut bytes = Box::new([0xaa; PAGE_BYTES]);
    begin(&mut bytes, HEADER);
    put_record(&mut bytes, 0, used(0, 0xff, 0, 0, 0));
    put_record(&mut bytes, 1, Record::Retired);
    put_record(&mut bytes, 100, used(1000, 0x0f, 0x30, 0x10, 200));
    put_record(&mut bytes, 251, used(999, 0, 1, 0, 255));
    seal(&mut bytes);
    bytes
}

fn with(at: usize, value: &[u8]) -> Bytes {
    let mut bytes = page();
    put(&mut *bytes, at, value);
    seal(&mut bytes);
    bytes
}

fn parse(bytes: &[u8]) -> Result<Page<'_>, PageError> {
    Page::parse(bytes, SET, 3, BlockSize::DEFAULT, MAIN_SECTORS)
}

#[test]
fn what_is_written_is_read() {
    let bytes = page();
    let page = parse(&*bytes).unwrap();
    assert_eq!(page.header, HEADER);
    assert_eq!(page.record(0), used(0, 0xff, 0, 0, 0));
    assert_eq!(page.record(1), Record::Retired);
    assert_eq!(page.record(100), used(1000, 0x0f, 0x30, 0x10, 200));
    assert_eq!(page.record(251), used(999, 0, 1, 0, 255));
    assert!((2..100).chain(101..251).all(|at| page.record(at) == Record::Free));
    assert_eq!(page.record(RECORDS_PER_PAGE), Record::Free);
    assert_eq!(page.record(u32::MAX), Record::Free);
}

#[test]
fn the_fields_lie_where_the_table_says() {
    let bytes = page();
    assert_eq!(&bytes[..8], [b'R', b'M', b'P', b'G', 1, 0, 0, 0]);
    assert_eq!(&bytes[12..24], [3, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&bytes[38..40], [0x12, 0x34]);
    assert!(bytes[40..64].iter().all(|&byte| byte == 0));
    let record = &bytes[64 + 100 * 16..][..16];
    assert_eq!(record, [0xe8, 3, 0, 0, 0, 0, 0, 0, 0x0f, 0, 0x30, 0, 1, 200, 0x10, 0]);
    assert_eq!(&bytes[64 + 16..][..16], [255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(&bytes[64 + 32..][..16], [255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_checksum_is_crc_32c() {
    // The check value of CRC-32C, from the catalogue of CRC algorithms.
    assert_eq!(super::super::CRC32C.checksum(b"123456789"), 0xe306_9283);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut bytes = page();
    for bit in 0..PAGE_BYTES * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Page::parse_any(&*bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(parse(&*bytes).is_ok());
}

#[test]
fn a_torn_page_is_noticed_at_every_sector() {
    let new = page();
    let mut old = new.clone();
    begin(&mut old, PageHeader { generation: 76, ..HEADER });
    put_record(&mut old, 0, used(5, 1, 0, 0, 0));
    put_record(&mut old, 251, used(6, 1, 0, 0, 0));
    seal(&mut old);
    for sector in 1..8 {
        let mut torn = old.clone();
        torn[..sector * 512].copy_from_slice(&new[..sector * 512]);
        assert_eq!(parse(&*torn).unwrap_err(), PageError::Checksum, "{sector} sectors");
    }
}

#[test]
fn bytes_that_are_none_or_too_few_are_no_page() {
    let whole = page();
    for bytes in [&[][..], &whole[..PAGE_BYTES - 1], &[0; PAGE_BYTES], &*with(0, b"RMPH")] {
        assert_eq!(parse(bytes).unwrap_err(), PageError::Magic);
    }
}

#[test]
fn every_other_version_is_refused_by_its_number() {
    for version in [0, 2, 0x100, u32::MAX] {
        let bytes = with(OFFSET_VERSION, &version.to_le_bytes());
        assert_eq!(parse(&*bytes).unwrap_err(), PageError::Version(version));
    }
}

#[test]
fn a_page_of_another_set_or_place_is_refused() {
    let bytes = page();
    let refusal =
        |set, index| Page::parse(&*bytes, set, index, BlockSize::DEFAULT, MAIN_SECTORS).unwrap_err();
    assert_eq!(refusal(Uuid::from_u128(0x1235), 3), PageError::ForeignSet);
    assert_eq!(refusal(SET, 2), PageError::WrongIndex(3));
    assert!(Page::parse_any(&*bytes).is_ok());
}

#[test]
fn records_that_make_no_sense_are_refused_by_their_place() {
    let at = OFFSET_RECORDS + 100 * RECORD_BYTES;
    let block = 1000u64.to_le_bytes();
    let cases: &[(usize, &[u8])] = &[
        (at, &[0xff; 8]),                    // used, without a block
        (at, &1001u64.to_le_bytes()),        // a block behind the end of the main device
        (at, &(u64::MAX - 1).to_le_bytes()), // the same, far behind
        (at + 8, &[0, 0, 0, 0]),             // neither moved nor lost
        (at + 8, &[0x1f, 0, 0x30, 0]),       // a sector both moved and lost
        (at + 9, &[1]),                      // moved: a sector behind the end of the block
        (at + 11, &[0x80]),                  // lost: the same
        (at + 12, &[0]),                     // free, with masks
        (at + 12, &[2]),                     // retired, with masks
        (at + 12, &[3]),                     // a state nobody knows
        (at + 12, &[255]),                   // another
        (at + 14, &[1]),                     // stale, and not lost
        (at + 15, &[1]),                     // the same, behind the end of the block
    ];
    for (at, value) in cases {
        assert_eq!(parse(&*with(*at, value)).unwrap_err(), PageError::Record(100), "{value:?} at {at}");
    }
    assert!(parse(&*with(at, &block)).is_ok());
}

#[test]
fn the_last_block_of_an_odd_size_may_be_mapped_and_the_one_behind_may_not() {
    let bytes = page();
    let with_size = |sectors| Page::parse(&*bytes, SET, 3, BlockSize::DEFAULT, sectors).is_ok();
    assert!(with_size(8001));
    assert!(!with_size(8000));
}

#[test]
fn masks_reach_as_far_as_the_block() {
    for sectors in [1u32, 2, 4, 8, 16] {
        let block_size = BlockSize::from_sectors(sectors).unwrap();
        let mut bytes = page();
        begin(&mut bytes, HEADER);
        put_record(&mut bytes, 9, used(1, block_size.full_mask(), 0, 0, 0));
        seal(&mut bytes);
        assert!(Page::parse(&*bytes, SET, 3, block_size, 1 << 20).is_ok());
        if let Some(smaller) = BlockSize::from_sectors(sectors / 2) {
            let refused = Page::parse(&*bytes, SET, 3, smaller, 1 << 20).unwrap_err();
            assert_eq!(refused, PageError::Record(9));
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    for (error, words) in [
        (PageError::Magic, "not a map page"),
        (PageError::Version(9), "version 9"),
        (PageError::Checksum, "checksum"),
        (PageError::ForeignSet, "another set"),
        (PageError::WrongIndex(4), "page 4"),
        (PageError::Record(5), "record 5"),
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

fn records() -> impl Strategy<Value = Record> {
    prop_oneof![
        Just(Record::Free),
        Just(Record::Retired),
        (0..1000u64, 1..=255u16, any::<u16>(), any::<u8>()).prop_map(|(block, away, split, version)| {
            let lost = away & split;
            used(block, away & !split, lost, lost & (split >> 8), version)
        }),
    ]
}

proptest! {
    #[test]
    fn any_records_round_trip(list in proptest::collection::vec(records(), 252), index: u32, generation: u64) {
        let mut bytes = Box::new([0; PAGE_BYTES]);
        let header = PageHeader { set: SET, index, generation };
        begin(&mut bytes, header);
        for (at, record) in list.iter().enumerate() {
            put_record(&mut bytes, at as u32, *record);
        }
        seal(&mut bytes);
        let page = Page::parse(&*bytes, SET, index, BlockSize::DEFAULT, MAIN_SECTORS).unwrap();
        prop_assert_eq!(page.header, header);
        for (at, record) in list.iter().enumerate() {
            prop_assert_eq!(page.record(at as u32), *record);
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..PAGE_BYTES + 9)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn sealed_bytes_give_possible_records_or_an_error(
        changes in proptest::collection::vec((64..PAGE_BYTES, any::<u8>()), 0..8),
    ) {
        let mut bytes = page();
        for (at, value) in changes {
            bytes[at] = value;
        }
        seal(&mut bytes);
        if let Ok(page) = parse(&*bytes) {
            for at in 0..RECORDS_PER_PAGE {
                if let Record::Used { block, masks, .. } = page.record(at) {
                    prop_assert!(block.0 <= 1000 && masks.away() != 0 && masks.away() <= 0xff);
                }
            }
        }
    }
}
