//! What is on the main device is looked at through the mappings, and never makes a good set refuse to open.

use std::sync::Arc;

use remap_core::Sector;

use super::closing::refusal;
use crate::device::{OpenError, RemapDevice};
use crate::disk::MemoryDisk;
use crate::members::{CreateOptions, DeviceOptions, create, scan};
use crate::testbed::{Bed, TestDisk};

/// The first sector of an XFS filesystem, as far as it matters here.
fn xfs(id: u8) -> [u8; 512] {
    let mut sector = [0; 512];
    sector[..4].copy_from_slice(b"XFSB");
    sector[32..48].fill(id);
    sector
}

fn uuid(id: u8) -> String {
    uuid::Uuid::from_bytes([id; 16]).to_string()
}

fn main_with(id: u8, bed: &Bed) -> Arc<TestDisk> {
    let disk = TestDisk::new(MemoryDisk::with_volatile_cache(4096), &bed.fuse);
    disk.memory.corrupt(|image| image[..512].copy_from_slice(&xfs(id)));
    disk
}

/// A set whose main device holds a filesystem.
fn bed(id: u8) -> Bed {
    let mut bed = Bed::blank(4096, 1);
    bed.main = main_with(id, &bed);
    create(&bed.members(), &CreateOptions::default()).unwrap();
    bed
}

fn recorded(bed: &Bed) -> String {
    scan(&*bed.spares[0]).newest.unwrap().main.filesystem_uuid.to_string()
}

#[test]
fn a_main_device_with_other_contents_is_refused_after_a_close_and_once_accepted_it_is_the_sets() {
    let mut bed = bed(1);
    assert_eq!(recorded(&bed), uuid(1));
    bed.main = main_with(2, &bed);
    for read_only in [false, true] {
        let error = refusal(&bed, &DeviceOptions { read_only, ..DeviceOptions::default() });
        assert!(matches!(error, OpenError::OtherMain { can_be_accepted: true, .. }), "{error}");
    }
    let accepting = DeviceOptions { accept_other_main: true, ..DeviceOptions::default() };
    let device = RemapDevice::open(bed.members(), &accepting).unwrap();
    assert_eq!(device.doubt(), None, "it was accepted");
    device.close().unwrap();
    assert_eq!(recorded(&bed), uuid(2));
    bed.open().close().unwrap();
}

#[test]
fn what_was_written_through_the_set_is_known_after_its_close_and_doubted_without_one() {
    let bed = bed(1);
    let device = bed.open();
    device.write(Sector(0), &xfs(2), true).unwrap();
    device.close().unwrap();
    let device = bed.open();
    assert_eq!(device.doubt(), None);
    device.write(Sector(0), &xfs(3), true).unwrap();
    drop(device);
    assert_eq!(recorded(&bed), uuid(2));
    let device = bed.open();
    let doubt = device.doubt().unwrap();
    assert!(doubt.contains(&uuid(2)) && doubt.contains(&uuid(3)), "{doubt}");
    drop(device);
    assert_eq!(bed.open().doubt(), None, "what was seen is what is known now");
}

#[test]
fn a_moved_sector_is_read_where_it_lives() {
    let bed = bed(1);
    let device = bed.open();
    bed.main.fail("bad-write 0 8");
    device.write(Sector(0), &xfs(2), true).unwrap();
    device.close().unwrap();
    assert_eq!(recorded(&bed), uuid(2));
    assert_eq!(bed.open().doubt(), None);
}

#[test]
fn what_cannot_be_read_is_doubted_and_never_refused() {
    let bed = bed(1);
    bed.main.fail("bad-read 0 8");
    let device = bed.open();
    assert!(device.doubt().unwrap().contains("cannot all be read"));
    device.close().unwrap();
    assert_eq!(recorded(&bed), "", "nothing is known");
    bed.main.fail("");
    assert_eq!(bed.open().doubt(), None);
    assert_eq!(recorded(&bed), uuid(1));
}

#[test]
fn a_main_device_that_answers_nowhere_is_not_looked_at_when_the_set_is_closed() {
    let bed = bed(1);
    bed.main.fail("offline");
    let device = bed.open();
    assert!(device.doubt().is_some());
    let reads = bed.main.faulty.counts().reads;
    device.close().unwrap();
    assert_eq!(bed.main.faulty.counts().reads, reads);
    assert_eq!(recorded(&bed), "");
}
