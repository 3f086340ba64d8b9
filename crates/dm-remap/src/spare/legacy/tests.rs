use remap_io::disk::MemoryDisk;

use super::find;

fn header(size: u32, sequence: u64, main: &[u8]) -> Vec<u8> {
    let mut data = vec![0; 512];
    data[0..4].copy_from_slice(&0x444d_5234_u32.to_le_bytes());
    data[4..8].copy_from_slice(&4_u32.to_le_bytes());
    data[8..16].copy_from_slice(&sequence.to_le_bytes());
    data[32..36].copy_from_slice(&size.to_le_bytes());
    data[114..122].copy_from_slice(&1000_u64.to_le_bytes());
    data[122..130].copy_from_slice(&500_u64.to_le_bytes());
    data[144..144 + main.len()].copy_from_slice(main);
    data
}

fn disk(copies: &[(usize, Vec<u8>)]) -> MemoryDisk {
    let mut image = vec![0; 16384 * 512];
    for (sector, data) in copies {
        image[sector * 512..sector * 512 + data.len()].copy_from_slice(data);
    }
    MemoryDisk::from_image(image)
}

#[test]
fn the_newest_copy_of_a_documented_header_is_shown() {
    let disk = disk(&[(0, header(512, 1, b"/dev/old")), (2048, header(512, 2, b"/dev/sda\x1b1"))]);
    let found = find(&disk).unwrap();
    assert_eq!((found.version, found.copies_found), ("4.2", 2));
    assert_eq!((&*found.main_path, found.main_sectors, found.spare_sectors), ("/dev/sda1", 1000, 500));
}

#[test]
fn the_other_kind_with_the_same_magic_number_is_told_apart() {
    let disk = disk(&[(0, header(84288, 1, b"")), (256, header(84288, 1, b""))]);
    let found = find(&disk).unwrap();
    assert_eq!((found.version, found.copies_found), ("1.0", 2));
}

#[test]
fn anything_else_is_none() {
    assert_eq!(find(&disk(&[])), None);
    assert_eq!(find(&disk(&[(0, b"4RMD".to_vec())])), None);
    assert_eq!(find(&MemoryDisk::new(8)), None);
}
