use remap_core::Sector;

use super::shown;

#[test]
fn masks_are_told_as_sectors() {
    assert_eq!(shown(Sector(800), 0xff), "sectors 800-807");
    assert_eq!(shown(Sector(800), 0b100), "sector 802");
    assert_eq!(shown(Sector(800), 0b1010), "2 of sectors 801-803");
    assert_eq!(shown(Sector(0), 0x8000), "sector 15");
}
