//! What becomes of a list of blocks, and what is refused.

use super::*;

fn range(start: u64, sectors: u64) -> SectorRange {
    SectorRange::new(Sector(start), sectors)
}

fn written(ranges: &[SectorRange], block_bytes: u32) -> String {
    let mut out = Vec::new();
    write(ranges, block_bytes, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn blocks_become_sectors_whatever_their_order() {
    assert_eq!(parse(b"10\n11\n3\n\n10\n", 1024), Ok(vec![range(6, 2), range(20, 4)]));
    assert_eq!(parse(b"7", 512), Ok(vec![range(7, 1)]));
    assert_eq!(parse(b"", 4096), Ok(vec![]));
}

#[test]
fn a_block_is_bad_when_one_of_its_sectors_is() {
    assert_eq!(written(&[range(7, 2), range(9, 1), range(100, 1)], 4096), "0\n1\n12\n");
    assert_eq!(written(&[range(8, 1), range(15, 1)], 4096), "1\n");
}

#[test]
fn what_is_written_reads_back() {
    let ranges = [range(0, 8), range(64, 16), range(MAX_SECTORS - 8, 8)];
    assert_eq!(parse(written(&ranges, 4096).as_bytes(), 4096), Ok(ranges.to_vec()));
}

#[test]
fn lines_that_are_no_block_of_a_disk_are_refused_by_number() {
    assert_eq!(parse(b"1\nx\n", 1024), Err(BadblocksError::NotANumber { line: 2 }));
    assert_eq!(parse(b"-1\n", 1024), Err(BadblocksError::NotANumber { line: 1 }));
    assert_eq!(parse(b"\xff\n", 1024), Err(BadblocksError::NotANumber { line: 1 }));
    assert_eq!(parse(b"1 2\n", 1024), Err(BadblocksError::NotANumber { line: 1 }));
    for block in ["18446744073709551615", "99999999999999999999", "9007199254740992"] {
        let expected = Err(BadblocksError::OutOfRange { line: 1 });
        assert_eq!(parse(block.as_bytes(), 1024), expected, "{block}");
    }
}

#[test]
fn block_sizes_that_are_not_whole_sectors_are_refused() {
    for block_bytes in [0, 1, 511, 513, 1 << 21] {
        assert_eq!(parse(b"1", block_bytes), Err(BadblocksError::BlockSize(block_bytes)));
    }
}
