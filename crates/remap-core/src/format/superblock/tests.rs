use super::*;
use crate::plan::NewSet;
use crate::tests::{new_set, spares};
use proptest::prelude::*;
use std::boxed::Box;
use std::string::ToString;

type Bytes = Box<[u8; PAGE_BYTES]>;

fn superblock() -> Superblock {
    let mut superblock = Superblock::plan(&new_set(1 << 20, &spares(&[20_000, 30_000]))).unwrap();
    superblock.generation = 0x0102_0304_0506_0708;
    superblock
}

fn encoded(superblock: &Superblock) -> Bytes {
    let mut bytes = Box::new([0xaa; PAGE_BYTES]);
    superblock.encode(&mut bytes);
    bytes
}

/// The superblock with `value` at byte `at`, and a checksum that fits.
fn with(at: usize, value: &[u8]) -> Bytes {
    let mut bytes = encoded(&superblock());
    put(&mut *bytes, at, value);
    seal(&mut bytes);
    bytes
}

fn seal(bytes: &mut [u8; PAGE_BYTES]) {
    let crc = checksum(bytes, OFFSET_CRC);
    put(bytes, OFFSET_CRC, &crc.to_le_bytes());
}

fn refusal(bytes: &[u8]) -> SuperblockError {
    Superblock::parse(bytes).unwrap_err()
}

#[test]
fn what_is_written_is_read() {
    let mut superblock = superblock();
    for (member, clean, lost_reads_zero) in [(0, true, false), (1, false, true), (1, true, true)] {
        superblock.member = member;
        superblock.clean = clean;
        superblock.lost_reads_zero = lost_reads_zero;
        assert_eq!(Superblock::parse(&*encoded(&superblock)).as_ref(), Ok(&superblock));
    }
}

#[test]
fn texts_may_fill_their_fields_and_be_empty() {
    let mut superblock = superblock();
    superblock.name = ArrayString::from(&"ü".repeat(32)).unwrap();
    superblock.main.path = ArrayString::from(&"p".repeat(256)).unwrap();
    superblock.main.serial = ArrayString::new();
    assert_eq!(Superblock::parse(&*encoded(&superblock)).as_ref(), Ok(&superblock));
}

#[test]
fn the_fields_lie_where_the_table_says() {
    let bytes = encoded(&superblock());
    assert_eq!(&bytes[..8], b"dmREMAP1");
    assert_eq!(&bytes[8..12], [1, 0, 0, 0]);
    assert_eq!(&bytes[16..24], [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(bytes[39], 0xd5);
    assert_eq!(&bytes[40..60], [0, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(&bytes[60..64], [3, 2, 1, 0]);
    assert_eq!(&bytes[80..96], [0, 0, 16, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 16, 0, 0]);
    for (at, text) in
        [(96, "S3RIAL"), (160, "0x5000c5"), (224, "11c0"), (264, "7d5f"), (304, "/dev/"), (560, "data")]
    {
        assert!(bytes[at..].starts_with(text.as_bytes()), "{text}");
    }
    assert_eq!(bytes[1024 + 15], 1);
    assert_eq!(&bytes[1040..1048], [0x20, 0x4e, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[1064 + 15], 2);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut bytes = encoded(&superblock());
    for bit in 0..PAGE_BYTES * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Superblock::parse(&*bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(Superblock::parse(&*bytes).is_ok());
}

#[test]
fn a_torn_superblock_is_noticed_at_every_sector() {
    let new = encoded(&superblock());
    let mut old = superblock();
    old.generation -= 1;
    old.clean = false;
    old.main.path = ArrayString::new();
    let old = encoded(&old);
    for sector in 1..8 {
        let mut torn = old.clone();
        torn[..sector * 512].copy_from_slice(&new[..sector * 512]);
        if torn != new {
            assert_eq!(refusal(&*torn), SuperblockError::Checksum, "{sector} sectors");
        }
    }
}

#[test]
fn bytes_that_are_none_or_too_few_are_no_superblock() {
    let whole = encoded(&superblock());
    assert_eq!(refusal(&[]), SuperblockError::Magic);
    assert_eq!(refusal(&whole[..PAGE_BYTES - 1]), SuperblockError::Magic);
    assert_eq!(refusal(&[0; PAGE_BYTES]), SuperblockError::Magic);
    assert_eq!(refusal(&*with(0, b"dmREMAP2")), SuperblockError::Magic);
}

#[test]
fn every_other_version_is_refused_by_its_number() {
    for version in [0, 2, 3, 0x100, u32::MAX] {
        assert_eq!(
            refusal(&*with(OFFSET_VERSION, &version.to_le_bytes())),
            SuperblockError::Version(version)
        );
    }
}

#[test]
fn every_field_that_makes_no_sense_is_refused_by_its_name() {
    let table = OFFSET_TABLE;
    let second = OFFSET_TABLE + MEMBER_BYTES;
    let first_uuid = *Uuid::from_u128(1).as_bytes();
    let max = &[0xff; 8];
    let cases: &[(usize, &[u8], &str)] = &[
        (OFFSET_MEMBER, &[2, 0, 0, 0], "member index"),
        (OFFSET_MEMBER, &max[..4], "member index"),
        (OFFSET_MEMBERS, &[0; 4], "number of members"),
        (OFFSET_MEMBERS, &[17, 0, 0, 0], "number of members"),
        (OFFSET_MEMBERS, &max[..4], "number of members"),
        (OFFSET_MEMBERS, &[3, 0, 0, 0], "member size"),
        (OFFSET_MEMBERS, &[1, 0, 0, 0], "padding"),
        (OFFSET_BLOCK, &[0; 4], "block size"),
        (OFFSET_BLOCK, &[3, 0, 0, 0], "block size"),
        (OFFSET_BLOCK, &[32, 0, 0, 0], "block size"),
        (OFFSET_BLOCK, &max[..4], "block size"),
        (OFFSET_COPIES, &[1, 0, 0, 0], "number of copies"),
        (OFFSET_COPIES, &[6, 0, 0, 0], "number of copies"),
        (OFFSET_COPIES, &max[..4], "number of copies"),
        (OFFSET_FLAGS, &[5, 0, 0, 0], "flags"),
        (OFFSET_FLAGS, &max[..4], "flags"),
        (OFFSET_CREATED + 8, &[1], "padding"),
        (OFFSET_MAIN_SECTORS, &[0; 8], "main device size"),
        (OFFSET_MAIN_SECTORS, &(MAX_SECTORS + 1).to_le_bytes(), "main device size"),
        (OFFSET_MAIN_SECTORS, max, "main device size"),
        (OFFSET_MAIN_LOGICAL, &[0; 4], "main device block"),
        (OFFSET_MAIN_LOGICAL, &[0, 32, 0, 0], "main device block"),
        (OFFSET_MAIN_LOGICAL, &max[..4], "main device block"),
        (OFFSET_MAIN_SERIAL, max, "serial number"),
        (OFFSET_MAIN_SERIAL, b"a\n", "serial number"),
        (OFFSET_MAIN_SERIAL, b"a\0b", "serial number"),
        (OFFSET_MAIN_WWN, max, "WWN"),
        (OFFSET_MAIN_PARTITION, max, "partition UUID"),
        (OFFSET_MAIN_FILESYSTEM, max, "file system UUID"),
        (OFFSET_MAIN_PATH, max, "path"),
        (OFFSET_NAME, max, "name"),
        (OFFSET_NAME + 63, &[0xc3], "name"),
        (OFFSET_NAME + 64, &[1], "padding"),
        (OFFSET_TABLE - 1, &[1], "padding"),
        (second, &first_uuid, "member table"),
        (table + 16, &[0; 8], "member size"),
        (table + 16, max, "member size"),
        (table + 24, &max[..4], "slot count"),
        (second + 24, &[0; 4], "member table"),
        (table + 28, &[0; 4], "slot count"),
        (table + 28, &max[..4], "slot count"),
        (table + 32, &[0; 4], "member size"),
        (table + 32, &[1, 0, 0, 0], "slot count"),
        (table + 32, &max[..4], "member size"),
        (table + 36, &[1], "padding"),
        (second + MEMBER_BYTES, &[1], "padding"),
        (PAGE_BYTES - 1, &[1], "padding"),
    ];
    for &(at, value, name) in cases {
        assert_eq!(refusal(&*with(at, value)), SuperblockError::Field(name), "{value:?} at {at}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    assert!(SuperblockError::Version(7).to_string().contains("version 7, made by a newer"));
    assert!(SuperblockError::Field("path").to_string().contains("whose path makes no sense"));
    assert!(SuperblockError::Magic.to_string().contains("no dm-remap superblock"));
    assert!(SuperblockError::Checksum.to_string().contains("wrong checksum"));
}

#[test]
fn every_page_has_one_owner_or_none() {
    let superblock = superblock();
    let first = superblock.members[0].pages();
    assert_eq!(superblock.owner_of(0), Some(0));
    assert_eq!(superblock.owner_of(first - 1), Some(0));
    assert_eq!(superblock.owner_of(first), Some(1));
    assert_eq!(superblock.owner_of(superblock.pages()), None);
    assert_eq!(superblock.owner_of(u32::MAX), None);
    assert_eq!(superblock.plan_remove(0).unwrap().owner_of(0), None);
}

/// What parses is a set that can be had, and is written as it was read.
fn check(bytes: &[u8; PAGE_BYTES]) {
    if let Ok(superblock) = Superblock::parse(bytes) {
        assert_eq!(encoded(&superblock)[..], bytes[..]);
        assert!(superblock.members.iter().all(|member| superblock.layout_of(member).is_some()));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..PAGE_BYTES + 9)) {
        let _ = Superblock::parse(&bytes);
    }

    #[test]
    fn no_sealed_bytes_make_the_parser_panic(
        changes in proptest::collection::vec((0..PAGE_BYTES, any::<u8>()), 0..12),
        small in proptest::collection::vec((0..1150usize, 0..20u8), 0..4),
    ) {
        let mut bytes = encoded(&superblock());
        for (at, value) in changes.into_iter().chain(small) {
            bytes[at] = value;
        }
        put(&mut *bytes, 0, &MAGIC);
        put(&mut *bytes, OFFSET_VERSION, &VERSION.to_le_bytes());
        seal(&mut bytes);
        check(&bytes);
    }

    #[test]
    fn any_plan_round_trips(
        main in 1..=MAX_SECTORS,
        sizes in proptest::collection::vec(9_000..1u64 << 40, 1..=16),
        block in 0..5u32,
        copies in MIN_COPIES..=MAX_COPIES,
        generation: u64,
        created_unix_s: u64,
        creator: u32,
    ) {
        let block_size = BlockSize::from_sectors(1 << block).unwrap();
        let spares = spares(&sizes);
        let new = NewSet { block_size, copies, creator, created_unix_s, ..new_set(main, &spares) };
        if let Ok(mut superblock) = Superblock::plan(&new) {
            superblock.generation = generation;
            let parsed = Superblock::parse(&*encoded(&superblock));
            prop_assert_eq!(parsed, Ok(superblock));
        }
    }
}
