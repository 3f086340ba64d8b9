use super::{Size, Unit, parse, parse_bytes, parse_rate, show, show_sectors};

#[test]
fn suffixes_are_powers_of_1024_and_with_b_of_1000() {
    assert_eq!(parse_bytes("4096"), Ok(4096));
    assert_eq!(parse_bytes("64M"), Ok(64 << 20));
    assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
    assert_eq!(parse_bytes("64 mib"), Ok(64 << 20));
    assert_eq!(parse_bytes("64MB"), Ok(64_000_000));
    assert_eq!(parse_bytes("3s"), Ok(1536));
    assert_eq!(parse_rate("50M/s"), Ok(50 << 20));
    assert_eq!(parse("8", Unit::Sectors), Ok(Size { bytes: 4096, has_suffix: false }));
    assert_eq!(parse("8b", Unit::Sectors), Ok(Size { bytes: 8, has_suffix: true }));
}

#[test]
fn what_is_no_size_is_told_with_an_example() {
    assert!(parse_bytes("").unwrap_err().contains("64M"));
    assert!(parse_bytes("-1").unwrap_err().contains("no size"));
    assert!(parse_bytes("5x").unwrap_err().contains("no unit"));
    assert!(parse_bytes("1.5G").unwrap_err().contains("no unit"));
    assert!(parse_bytes("16777216T").unwrap_err().contains("too large"));
    assert!(parse_bytes("99999999999999999999").unwrap_err().contains("too large"));
}

#[test]
fn sizes_are_shown_with_at_most_one_decimal() {
    assert_eq!(show(0), "0 B");
    assert_eq!(show(1023), "1023 B");
    assert_eq!(show(4096), "4 KiB");
    assert_eq!(show(1536 << 20), "1.5 GiB");
    assert_eq!(show((150 << 20) + (1 << 19)), "150 MiB");
    assert_eq!(show(u64::MAX), "15.9 EiB");
    assert_eq!(show_sectors(u64::MAX), format!("{} sectors", u64::MAX));
}
