use remap_core::Sector;

use super::{fill, version_of};

#[test]
fn a_sector_tells_its_version_and_any_other_bytes_do_not() {
    let mut data = [0; 512];
    assert_eq!(version_of(&data, Sector(5)), Some(0));
    fill(&mut data, Sector(5), 3);
    assert_eq!(version_of(&data, Sector(5)), Some(3));
    assert_eq!(version_of(&data, Sector(6)), None);
    data[511] ^= 1;
    assert_eq!(version_of(&data, Sector(5)), None);
}
