use super::*;
use std::vec::Vec;

#[test]
fn nothing_overlaps_and_everything_fits() {
    for block_sectors in [1, 2, 4, 8, 16] {
        let block_size = BlockSize::from_sectors(block_sectors).unwrap();
        for copies in MIN_COPIES..=MAX_COPIES {
            for sectors in [10_000u64, 20_001, 33_333, 65_536] {
                let Some(layout) = SpareLayout::new(sectors, block_size, copies, 7) else { continue };
                let mut taken: Vec<(u64, u64)> = SUPERBLOCK_SECTORS.iter().map(|&s| (s, s + 8)).collect();
                for copy in 0..copies {
                    for page in 0..7 {
                        let start = layout.page_address(copy, page).0;
                        taken.push((start, start + PAGE_SECTORS));
                    }
                }
                for slot in 0..layout.slots() {
                    let start = layout.slot_address(slot).0;
                    assert_eq!(start % u64::from(block_sectors), 0);
                    taken.push((start, start + u64::from(block_sectors)));
                }
                taken.sort_unstable();
                for pair in taken.windows(2) {
                    assert!(pair[0].1 <= pair[1].0, "{pair:?} in {layout:?}");
                }
                assert!(taken.last().unwrap().1 <= sectors, "{layout:?}");
            }
        }
    }
}

#[test]
fn a_spare_without_room_for_a_slot_has_no_layout() {
    assert_eq!(SpareLayout::new(HEAD_SECTORS + 48, BlockSize::DEFAULT, 3, 1), None);
    assert_eq!(SpareLayout::new(0, BlockSize::DEFAULT, 3, 1), None);
    assert_eq!(SpareLayout::new(u64::MAX, BlockSize::DEFAULT, 3, 1), None);
    assert_eq!(SpareLayout::new(1 << 30, BlockSize::DEFAULT, 3, u32::MAX), None);
    assert_eq!(SpareLayout::new(1 << 20, BlockSize::DEFAULT, 6, 1), None);
}
