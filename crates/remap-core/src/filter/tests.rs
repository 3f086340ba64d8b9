use super::*;
use std::vec::Vec;

fn words(sectors: u64) -> Vec<AtomicU64> {
    (0..RegionFilter::words_for(sectors)).map(|_| AtomicU64::new(0)).collect()
}

#[test]
fn a_tebibyte_needs_128_kib() {
    assert_eq!(RegionFilter::words_for((1 << 40) / 512) * 8, 128 << 10);
}

#[test]
fn a_range_is_clear_until_one_of_its_regions_is_marked() {
    let memory = words(1 << 20);
    let filter = RegionFilter::new(&memory);
    let range = SectorRange::new(Sector(2000), 5000);
    assert!(!filter.may_map(range));
    filter.insert(Sector(6999));
    assert!(filter.may_map(range));
    assert!(!filter.may_map(SectorRange::new(Sector(0), 6144)));
    assert!(filter.may_map(SectorRange::new(Sector(6144), 1)));
}

#[test]
fn regions_behind_the_memory_count_as_mapped() {
    let filter = RegionFilter::new(&[]);
    assert!(filter.may_map(SectorRange::new(Sector(0), 1)));
}
