use super::*;
use std::string::ToString;

fn range(start: u64, sectors: u64) -> SectorRange {
    SectorRange::new(Sector(start), sectors)
}

#[test]
fn the_last_sector_of_the_largest_device_has_a_byte_offset() {
    assert_eq!(Sector(MAX_SECTORS - 1).bytes(), (1 << 63) - 512);
}

#[test]
fn ranges_at_the_end_of_the_number_space_neither_overflow_nor_fit() {
    let last = range(u64::MAX, 8);
    assert_eq!(last.end(), Sector(u64::MAX));
    assert!(!last.fits(u64::MAX));
    assert!(range(0, u64::MAX).fits(u64::MAX));
    assert!(!range(1, u64::MAX).fits(u64::MAX));
}

#[test]
fn ranges_share_what_lies_in_both() {
    assert_eq!(range(0, 10).intersection(range(8, 10)), Some(range(8, 2)));
    assert_eq!(range(0, 8).intersection(range(8, 8)), None);
    assert!(!range(0, 8).overlaps(range(8, 8)));
    assert!(range(0, 9).overlaps(range(8, 8)));
    assert_eq!(range(3, 4).to_string(), "3+4");
}

#[test]
fn a_block_has_1_2_4_8_or_16_sectors() {
    for sectors in 0..100 {
        let block_size = BlockSize::from_sectors(sectors);
        assert_eq!(block_size.is_some(), [1, 2, 4, 8, 16].contains(&sectors));
        assert!(
            block_size.is_none_or(|size| size.sectors() == sectors && size.bytes() == sectors as usize * 512)
        );
    }
    assert_eq!(BlockSize::DEFAULT.bytes(), 4096);
}

#[test]
fn a_sector_is_its_block_and_its_place_in_it() {
    for sectors in [1, 2, 4, 8, 16] {
        let size = BlockSize::from_sectors(sectors).unwrap();
        for sector in [0, 1, 7, 15, 16, 12_345, MAX_SECTORS - 1].map(Sector) {
            let first = size.first_sector(size.block_of(sector));
            assert_eq!(first.0 + u64::from(size.offset_of(sector)), sector.0);
            assert!(size.offset_of(sector) < sectors);
        }
        assert_eq!(size.full_mask().count_ones(), sectors);
    }
}

#[test]
fn masks_are_cut_off_at_their_end() {
    assert_eq!(mask_of(0, 16), 0xffff);
    assert_eq!(mask_of(3, 2), 0b1_1000);
    assert_eq!(mask_of(12, 100), 0xf000);
    assert_eq!(mask_of(16, 1), 0);
    assert_eq!(mask_of(5, 0), 0);
}
