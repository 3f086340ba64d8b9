use super::*;

#[test]
fn a_range_at_the_end_of_the_number_space_fits_nowhere() {
    let range = ByteRange::new(u64::MAX, 1);
    assert_eq!(range.end(), None);
    assert!(!range.fits(u64::MAX));
}

#[test]
fn a_range_fits_up_to_the_last_byte() {
    assert!(ByteRange::new(512, 512).fits(1024));
    assert!(!ByteRange::new(513, 512).fits(1024));
    assert!(ByteRange::new(1024, 0).fits(1024));
}

#[test]
fn aligned_bytes_are_whole_sectors() {
    assert_eq!(ByteRange::new(1024, 4096).sectors(), Some(SectorRange::new(Sector(2), 8)));
    assert_eq!(ByteRange::new(1025, 4096).sectors(), None);
    assert_eq!(ByteRange::new(1024, 4095).sectors(), None);
}

#[test]
fn bytes_touch_the_sectors_at_both_their_ends() {
    assert_eq!(ByteRange::new(511, 2).sectors_touched(), SectorRange::new(Sector(0), 2));
    assert_eq!(ByteRange::new(512, 512).sectors_touched(), SectorRange::new(Sector(1), 1));
    assert_eq!(ByteRange::new(700, 0).sectors_touched().sectors, 0);
    assert_eq!(ByteRange::new(u64::MAX, u32::MAX).sectors_touched().start, Sector(u64::MAX / 512));
}
