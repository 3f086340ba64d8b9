use remap_core::Sector;
use remap_io::disk::{Disk, MemoryDisk};

use super::CachedDisk;

fn read(disk: &CachedDisk, sector: u64) -> u8 {
    let mut data = [0; 512];
    disk.read(Sector(sector), &mut data).unwrap();
    data[0]
}

#[test]
fn writes_are_read_back_and_survive_once_flushed() {
    let disk = CachedDisk::new(Box::new(MemoryDisk::new(64)));
    disk.write(Sector(3), &[1; 1024], false).unwrap();
    disk.write(Sector(9), &[2; 512], false).unwrap();
    assert_eq!((read(&disk, 4), read(&disk, 9), read(&disk, 5)), (1, 2, 0));
    disk.flush().unwrap();
    assert_eq!(disk.cut_power(|_| 0), Ok(0));
    assert_eq!((read(&disk, 3), read(&disk, 4), read(&disk, 9)), (1, 1, 2));
}

#[test]
fn a_power_cut_leaves_any_of_the_unflushed_writes() {
    let disk = CachedDisk::new(Box::new(MemoryDisk::new(64)));
    for value in [1, 2, 3] {
        disk.write(Sector(0), &[value; 1024], false).unwrap();
    }
    disk.write(Sector(2), &[9; 512], true).unwrap();
    let mut choices = [2, 0].into_iter();
    assert_eq!(disk.cut_power(|_| choices.next().unwrap()), Ok(2));
    assert_eq!((read(&disk, 0), read(&disk, 1), read(&disk, 2)), (2, 0, 9));
}
