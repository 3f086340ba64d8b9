use remap_core::{Sector, SectorRange};

use super::{parse, show};

fn range(start: u64, sectors: u64) -> SectorRange {
    SectorRange::new(Sector(start), sectors)
}

#[test]
fn the_same_range_can_be_said_in_several_ways() {
    assert_eq!(parse("100+8"), Ok(range(100, 8)));
    assert_eq!(parse("100-107"), Ok(range(100, 8)));
    assert_eq!(parse("100"), Ok(range(100, 1)));
    assert_eq!(parse("1M+4K"), Ok(range(2048, 8)));
    assert_eq!(parse("1M-1028K"), Ok(range(2048, 8)));
    assert_eq!(parse("0-0"), Ok(range(0, 1)));
    assert_eq!(parse("1M+8"), Ok(range(2048, 8)));
}

#[test]
fn what_is_shown_can_be_typed_again() {
    assert_eq!(show(range(100, 8)), "sectors 100-107");
    assert_eq!(show(range(7, 1)), "sector 7");
}

#[test]
fn what_is_no_range_says_why() {
    for (text, part) in [
        ("", "no size"),
        ("8-4", "ends before"),
        ("100+0", "empty"),
        ("1M-1M", "empty"),
        ("700b", "whole number of sectors"),
        ("a+b", "no size"),
        ("1+", "no size"),
        ("18014398509481984", "behind the end"),
        ("18014398509481983+2", "behind the end"),
        ("99999999999999999999", "too large"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}
