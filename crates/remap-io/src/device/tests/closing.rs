//! Opening, closing, and ending without a close.

use remap_core::Sector;

use crate::device::{OpenError, RemapDevice, RequestError};
use crate::disk::MemoryDisk;
use crate::members::{CreateOptions, DeviceOptions, scan};
use crate::testbed::{Bed, SPARE_SECTORS, TestDisk, boxed, sector_of};

#[test]
fn a_closed_set_is_marked_so_and_one_in_use_is_not() {
    let bed = Bed::plain(4096, 2);
    let clean = |at: usize| scan(&*bed.spares[at]).newest.unwrap().clean;
    assert!(clean(0) && clean(1));
    let device = bed.open();
    assert!(!clean(0) && !clean(1));
    device.close().unwrap();
    assert!(clean(0) && clean(1));
    assert!(device.superblock().clean);
}

#[test]
fn a_device_dropped_without_a_close_leaves_no_mark_of_a_clean_end() {
    let bed = Bed::plain(4096, 1);
    drop(bed.open());
    assert!(!scan(&*bed.spares[0]).newest.unwrap().clean);
    bed.open().close().unwrap();
}

#[test]
fn requests_after_the_close_fail_and_a_second_close_does_nothing() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    device.close().unwrap();
    let writes = bed.spares[0].faulty.counts().writes;
    device.close().unwrap();
    assert_eq!(bed.spares[0].faulty.counts().writes, writes);
    assert_eq!(device.write(Sector(0), &[0; 512], false), Err(RequestError::Closed));
    assert_eq!(device.flush(), Err(RequestError::Closed));
    assert_eq!(device.verify_metadata(), Err(RequestError::Closed));
    assert_eq!(device.scrub_start(0), Err(RequestError::Closed));
    assert!(!device.probe());
}

#[test]
fn a_close_waits_for_requests_under_way() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("slow 0 8 ms=200");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| device.write(Sector(0), &sector_of(1), false));
        while device.status().in_flight == 0 {
            std::thread::yield_now();
        }
        device.close().unwrap();
        assert!(writer.is_finished());
        writer.join().unwrap().unwrap();
    });
}

#[test]
fn a_close_that_a_spare_refuses_says_so() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.spares[0].fail("offline");
    let error = device.close().unwrap_err();
    assert!(error.to_string().contains("not marked as closed"), "{error}");
}

#[test]
fn a_close_after_the_metadata_could_not_be_written_says_that_there_is_no_mark() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad 100 1");
    let layout =
        *scan(&*bed.spares[0]).newest.map(|s| s.layout_of(&s.members[0])).as_ref().unwrap().as_ref().unwrap();
    bed.spares[0].fail(&format!(
        "bad-write {} 8\nbad-write {} 8\nbad-write {} 8",
        layout.page_address(0, 0),
        layout.page_address(1, 0),
        layout.page_address(2, 0)
    ));
    assert_eq!(device.write(Sector(100), &[0; 512], false), Err(RequestError::Metadata));
    assert_eq!(device.write(Sector(0), &[0; 512], false), Err(RequestError::ReadOnly));
    device.read(Sector(0), &mut [0; 512]).unwrap();
    assert_eq!(device.status().state, "read-only");
    assert_eq!(device.close(), Err(crate::device::CloseError::Metadata));
}

#[test]
fn a_read_only_device_writes_nothing_at_all() {
    let bed = Bed::plain(4096, 1);
    let options = DeviceOptions { read_only: true, ..DeviceOptions::default() };
    let writes = bed.spares[0].faulty.counts().writes;
    let device = RemapDevice::open(bed.members(), &options).unwrap();
    assert!(device.is_read_only());
    bed.main.fail("bad-read 100 1");
    assert_eq!(device.write(Sector(0), &[0; 512], false), Err(RequestError::ReadOnly));
    assert!(device.read(Sector(100), &mut [0; 512]).is_err());
    device.read(Sector(101), &mut [0; 512]).unwrap();
    device.verify_metadata().unwrap();
    device.close().unwrap();
    assert_eq!(bed.spares[0].faulty.counts().writes, writes);
    assert_eq!(bed.main.faulty.counts().writes, 0);
}

#[test]
fn spares_may_be_given_in_any_order() {
    let mut bed = Bed::plain(4096, 3);
    let device = bed.open();
    bed.main.fail("bad 0 8");
    device.write(Sector(0), &[5; 4096], false).unwrap();
    device.close().unwrap();
    bed.spares.rotate_left(1);
    let mut back = [0; 4096];
    bed.open().read(Sector(0), &mut back).unwrap();
    assert_eq!(back, [5; 4096]);
}

pub fn refusal(bed: &Bed, options: &DeviceOptions) -> OpenError {
    let writes = |bed: &Bed| bed.spares.iter().map(|spare| spare.faulty.counts().writes).sum::<u64>();
    let before = writes(bed);
    let error = RemapDevice::open(bed.members(), options).unwrap_err();
    assert_eq!(writes(bed), before, "nothing is written");
    error
}

#[test]
fn a_missing_spare_is_refused_but_read_only_on_request_where_its_mappings_are_known_as_lost() {
    let mut bed = Bed::plain(4096, 2);
    let device = bed.open();
    bed.main.fail("bad 0 8");
    device.write(Sector(0), &[5; 4096], false).unwrap();
    device.close().unwrap();
    bed.spares.remove(0);
    assert!(matches!(refusal(&bed, &DeviceOptions::default()), OpenError::SpareMissing { missing: 1, .. }));
    let read_only = DeviceOptions { read_only: true, ..DeviceOptions::default() };
    assert!(matches!(refusal(&bed, &read_only), OpenError::SpareMissing { .. }));
    let accepting = DeviceOptions { accept_missing_spares: true, ..read_only };
    let device = RemapDevice::open(bed.members(), &accepting).unwrap();
    assert!(device.read(Sector(0), &mut [0; 512]).is_err());
    device.read(Sector(8), &mut [0; 512]).unwrap();
    assert_eq!(device.status().spares[0].state, "missing");
}

#[test]
fn no_spare_a_blank_spare_and_the_same_disk_twice_are_refused() {
    let mut bed = Bed::plain(4096, 1);
    let spare = bed.spares[0].clone();
    bed.spares.push(spare);
    assert!(matches!(refusal(&bed, &DeviceOptions::default()), OpenError::SameDisk { .. }));
    bed.spares = vec![bed.main.clone()];
    assert!(matches!(refusal(&bed, &DeviceOptions::default()), OpenError::SameDisk { .. }));
    bed.spares = vec![bed.further_disk()];
    assert!(matches!(refusal(&bed, &DeviceOptions::default()), OpenError::NotASpare { .. }));
    bed.spares.clear();
    assert!(matches!(refusal(&bed, &DeviceOptions::default()), OpenError::NoSpare));
}

#[test]
fn a_spare_of_another_set_a_copy_of_a_spare_and_a_shrunken_one_are_refused() {
    let mut bed = Bed::plain(4096, 1);
    let image = bed.spares[0].memory.image();
    let other = Bed::new(4096, 1, &CreateOptions { name: "other".into(), ..CreateOptions::default() });
    bed.spares.push(other.spares[0].clone());
    assert!(matches!(refusal(&bed, &DeviceOptions::default()), OpenError::OtherSet { .. }));
    bed.spares[1] = TestDisk::new(MemoryDisk::from_image(image.clone()), &bed.fuse);
    assert!(matches!(refusal(&bed, &DeviceOptions::default()), OpenError::Copy { .. }));
    let short = image[..image.len() - 512].to_vec();
    bed.spares = vec![TestDisk::new(MemoryDisk::from_image(short), &bed.fuse)];
    let expected = matches!(
        refusal(&bed, &DeviceOptions::default()),
        OpenError::SpareShrunk { expected: SPARE_SECTORS, .. }
    );
    assert!(expected);
}

#[test]
fn a_main_device_of_another_size_is_refused_and_a_larger_one_can_be_accepted() {
    let mut bed = Bed::plain(4096, 1);
    bed.main = TestDisk::new(MemoryDisk::new(8192), &bed.fuse);
    let error = refusal(&bed, &DeviceOptions::default());
    assert!(error.to_string().contains("8192") && error.to_string().contains("4096"), "{error}");
    let accepting = DeviceOptions { accept_other_main: true, ..DeviceOptions::default() };
    bed.main = TestDisk::new(MemoryDisk::new(2048), &bed.fuse);
    assert!(matches!(refusal(&bed, &accepting), OpenError::OtherMain { .. }));
    bed.main = TestDisk::new(MemoryDisk::new(8192), &bed.fuse);
    let device = RemapDevice::open(bed.members(), &accepting).unwrap();
    assert_eq!(device.sectors(), 4096);
}

#[test]
fn a_main_device_with_larger_blocks_than_the_sets_is_refused() {
    let options = CreateOptions {
        block_size: remap_core::BlockSize::from_sectors(1).unwrap(),
        ..CreateOptions::default()
    };
    let mut bed = Bed::new(4096, 1, &options);
    bed.main = TestDisk::new(MemoryDisk::new(4096).with_blocks(4096, 4096), &bed.fuse);
    assert!(matches!(refusal(&bed, &DeviceOptions::default()), OpenError::OtherMain { .. }));
    let accepting = DeviceOptions { accept_other_main: true, ..DeviceOptions::default() };
    assert!(matches!(refusal(&bed, &accepting), OpenError::OtherMain { .. }));
}

#[test]
fn a_lost_map_page_is_refused_and_never_passed_over_silently() {
    let bed = Bed::plain(4096, 1);
    let superblock = scan(&*bed.spares[0]).newest.unwrap();
    let layout = superblock.layout_of(&superblock.members[0]).unwrap();
    bed.spares[0].memory.corrupt(|bytes| {
        for copy in 0..layout.copies() {
            bytes[layout.page_address(copy, 0).bytes() as usize] ^= 1;
        }
    });
    let error = refusal(&bed, &DeviceOptions::default());
    assert!(matches!(error, OpenError::Engine(remap_core::open::OpenError::PageLost { page: 0, count: 1 })));
    let accepting = DeviceOptions { read_only: true, accept_lost_pages: true, ..DeviceOptions::default() };
    RemapDevice::open(bed.members(), &accepting).unwrap().read(Sector(0), &mut [0; 512]).unwrap();
}

#[test]
fn a_block_of_4096_bytes_on_any_member_is_the_unit_of_requests() {
    let mut bed = Bed::blank(4096, 0);
    bed.spares.push(TestDisk::new(MemoryDisk::new(SPARE_SECTORS).with_blocks(4096, 4096), &bed.fuse));
    crate::members::create(&bed.members(), &CreateOptions::default()).unwrap();
    let device = bed.open();
    assert_eq!((device.logical_bytes(), device.physical_bytes()), (4096, 4096));
    assert_eq!(device.write(Sector(0), &[0; 512], false), Err(RequestError::Misaligned));
    bed.main.fail("bad 3 1");
    device.write(Sector(0), &[6; 4096], true).unwrap();
    let mut back = [0; 4096];
    device.read(Sector(0), &mut back).unwrap();
    assert_eq!(back, [6; 4096]);
    drop(boxed(&bed.main));
}
