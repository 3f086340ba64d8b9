//! The golden spare: how it was made, and its form in a file.

use super::{Disk, LOST, On, Rig, Shape};
use remap_core::SlotIndex;
use remap_core::units::SECTOR_BYTES;

/// The main device: [`pattern`](super::pattern) 1 in every sector.
pub const MAIN_SECTORS: u64 = 20_483;
/// The spare.
pub const SPARE_SECTORS: u64 = 12_000;

/// A set with a life behind it, on its disks, closed.
pub fn make() -> Rig {
    let mut rig =
        Rig::new(&Shape { main_sectors: MAIN_SECTORS, spares: &[SPARE_SECTORS], ..Shape::default() });
    let mut engine = rig.open();
    rig.main().fail(800, 8, On::Both);
    rig.main().fail(811, 2, On::Writes);
    rig.main().fail(20_482, 1, On::Writes);
    rig.main().fail(1605, 1, On::Reads);
    // Block 100, whole, in slot 0; two sectors of block 101 in slot 1; the last sector in slot 2.
    rig.write(&mut engine, 800, 8, 2).unwrap();
    rig.write(&mut engine, 811, 2, 3).unwrap();
    rig.write(&mut engine, 20_482, 1, 4).unwrap();
    // A sector of block 200 is lost, its neighbours are in slot 3.
    assert_eq!(rig.read(&mut engine, 1600, 8), Err(LOST));
    // Slot 0 loses two sectors and is retired: block 100 is in slot 4, with lost sectors that are stale.
    let slot = engine.set.slot_address(SlotIndex(0)).unwrap().1.0;
    rig.spare(0).fail(slot + 6, 2, On::Both);
    assert_eq!(rig.read(&mut engine, 800, 8), Err(LOST));
    rig.close(engine);
    rig
}

/// The sectors that hold anything but zeros, one after the other: number (u64, little endian), content.
pub fn to_file(disk: &Disk) -> Vec<u8> {
    let mut file = Vec::new();
    for sector in disk.written() {
        let bytes = disk.peek(sector);
        if bytes != [0; SECTOR_BYTES] {
            file.extend(sector.to_le_bytes());
            file.extend(bytes);
        }
    }
    file
}

/// The disk that [`to_file`] was given.
pub fn from_file(file: &[u8], sectors: u64) -> Disk {
    let mut disk = Disk::new(sectors);
    let (entries, rest) = file.as_chunks::<{ 8 + SECTOR_BYTES }>();
    assert!(rest.is_empty(), "the file ends within a sector");
    for entry in entries {
        let (number, content) = entry.split_at(8);
        disk.poke(u64::from_le_bytes(number.try_into().unwrap()), content.try_into().unwrap());
    }
    disk
}
