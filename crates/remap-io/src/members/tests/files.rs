//! Sets of plain files.

use std::path::Path;

use remap_core::Sector;

use crate::device::{OpenError, RemapDevice};
use crate::disk::{Disk, FileDisk, OpenOptions, open_spec};
use crate::members::{CreateOptions, DeviceOptions, Members, create};

fn file(dir: &Path, name: &str, bytes: u64) {
    std::fs::File::create(dir.join(name)).unwrap().set_len(bytes).unwrap();
}

fn disk(dir: &Path, name: &str) -> Box<dyn Disk> {
    Box::new(FileDisk::open(&dir.join(name), &OpenOptions::default()).unwrap())
}

fn members(dir: &Path) -> Members {
    Members { main: disk(dir, "main"), spares: vec![disk(dir, "spare")] }
}

#[test]
fn a_set_of_files_is_made_used_closed_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "main", 16 << 20);
    file(dir.path(), "spare", 16 << 20);
    std::fs::write(dir.path().join("faults"), "bad 100 1\n").unwrap();
    create(&members(dir.path()), &CreateOptions::default()).unwrap();
    let spec = format!("faulty:{0}/main,faults={0}/faults", dir.path().display());
    let main = open_spec(spec, &OpenOptions::default()).unwrap();
    let members = Members { main, spares: vec![disk(dir.path(), "spare")] };
    let device = RemapDevice::open(members, &DeviceOptions::default()).unwrap();
    device.write(Sector(96), &[9; 8192], true).unwrap();
    assert!(device.status().main.unwrap().ends_with("main"));
    device.close().unwrap();
    drop(device);
    let device = RemapDevice::open(self::members(dir.path()), &DeviceOptions::default()).unwrap();
    let mut back = [0; 8192];
    device.read(Sector(96), &mut back).unwrap();
    assert_eq!(back, [9; 8192]);
    assert_eq!(device.mappings(0, 10).len(), 1);
    assert!(device.superblock().main.path.ends_with("main"));
}

#[test]
fn a_set_that_is_open_is_kept_from_others_by_its_disks() {
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "main", 16 << 20);
    file(dir.path(), "spare", 16 << 20);
    create(&members(dir.path()), &CreateOptions::default()).unwrap();
    let device = RemapDevice::open(members(dir.path()), &DeviceOptions::default()).unwrap();
    assert!(FileDisk::open(&dir.path().join("spare"), &OpenOptions::default()).is_err());
    drop(device);
    disk(dir.path(), "spare");
}

#[test]
fn disks_opened_for_reading_only_make_a_device_for_reading_only() {
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "main", 16 << 20);
    file(dir.path(), "spare", 16 << 20);
    create(&members(dir.path()), &CreateOptions::default()).unwrap();
    let read_only = |name| -> Box<dyn Disk> {
        Box::new(FileDisk::open(&dir.path().join(name), &OpenOptions::read_only()).unwrap())
    };
    let members = || Members { main: read_only("main"), spares: vec![read_only("spare")] };
    let error = RemapDevice::open(members(), &DeviceOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::ReadOnlyDisk { .. }));
    let options = DeviceOptions { read_only: true, ..DeviceOptions::default() };
    RemapDevice::open(members(), &options).unwrap().read(Sector(0), &mut [0; 4096]).unwrap();
}
