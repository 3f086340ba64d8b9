use proptest::prelude::*;
use remap_core::{Sector, SectorRange};

use super::{Line, encode, escape, parse, unescape_words};

fn line(start: u64, sectors: u64, target: &str, arguments: &str) -> Line {
    Line {
        range: SectorRange::new(Sector(start), sectors),
        target: target.to_owned(),
        arguments: arguments.to_owned(),
    }
}

/// As the kernel gives lines back: the place of the next counts from the beginning of all.
fn as_told(lines: &[Line]) -> Vec<u8> {
    let mut bytes = encode(lines).unwrap();
    let (mut at, mut next) = (0, 0);
    for _ in lines {
        let own = u32::from_ne_bytes(*bytes[at + 20..].first_chunk().unwrap());
        next += own;
        bytes[at + 20..at + 24].copy_from_slice(&next.to_ne_bytes());
        at = next as usize;
    }
    bytes
}

#[test]
fn lines_come_back_as_they_were() {
    let lines = [line(0, 8, "linear", "8:16 0"), line(8, 1, "error", ""), line(9, 7, "remap", "7:0 7:1")];
    assert_eq!(parse(&as_told(&lines), 3).unwrap(), lines);
    assert_eq!(encode(&lines).unwrap().len() % 8, 0);
    assert_eq!(parse(&[], 0).unwrap(), []);
}

#[test]
fn a_table_that_goes_back_or_beyond_is_none() {
    let lines = [line(0, 8, "error", ""), line(8, 8, "error", "")];
    let mut bytes = as_told(&lines);
    bytes[20..24].copy_from_slice(&0_u32.to_ne_bytes());
    assert_eq!(parse(&bytes, 2), None, "the second is the first");
    bytes[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(parse(&bytes, 2), None, "the second is far away");
    assert_eq!(parse(&as_told(&lines), 3), None, "there is no third");
}

#[test]
fn what_cannot_be_loaded_is_not_encoded() {
    assert_eq!(encode(&[line(0, 1, "a-name-of-16-byt", "")]), None);
    assert_eq!(encode(&[line(0, 1, "error", "a\0b")]), None);
}

#[test]
fn words_with_blanks_come_through() {
    assert_eq!(escape("/dev/my disk\\1"), "/dev/my\\ disk\\\\1");
    assert_eq!(unescape_words("7:0  /dev/my\\ disk\\\\1 x"), ["7:0", "/dev/my disk\\1", "x"]);
    assert_eq!(unescape_words(""), [""; 0]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0_u32..9) {
        let _ = parse(&bytes, count);
    }
}
