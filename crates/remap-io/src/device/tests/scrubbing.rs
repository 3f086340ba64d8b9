//! The scrub, and looking after the metadata.

use std::time::{Duration, Instant};

use remap_core::Sector;

use crate::device::{RemapDevice, RequestError, ScrubState};
use crate::members::scan;
use crate::testbed::Bed;

fn wait_for_end(device: &RemapDevice) -> ScrubState {
    let started = Instant::now();
    while device.scrub_status().state == ScrubState::Running {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    device.scrub_status().state
}

#[test]
fn a_scrub_finds_what_cannot_be_read_and_saves_its_neighbours() {
    let bed = Bed::plain(65536, 1);
    let device = bed.open();
    device.write(Sector(30000), &vec![3; 65536], false).unwrap();
    bed.main.fail("bad-read 30000 1\nbad-read 30090 2");
    device.scrub_start(0).unwrap();
    assert_eq!(wait_for_end(&device), ScrubState::Done);
    let status = device.status();
    assert_eq!((status.lost_sectors, status.slots_used), (3, 2));
    let scrubbed = device.scrub_status();
    assert_eq!(scrubbed.sectors_done, 65536);
    assert!(scrubbed.pages_done > 0 && scrubbed.failures > 0);
}

#[test]
fn a_scrub_keeps_its_rate_and_stops_when_told() {
    let bed = Bed::plain(65536, 1);
    let device = bed.open();
    device.scrub_start(1 << 20).unwrap();
    assert_eq!(device.scrub_start(0), Err(RequestError::Busy));
    std::thread::sleep(Duration::from_millis(50));
    device.scrub_stop();
    let status = device.scrub_status();
    assert_eq!(status.state, ScrubState::Stopped);
    assert!(status.sectors_done <= 4096, "{status:?}");
}

#[test]
fn a_scrub_of_a_dead_device_ends_and_loses_nothing() {
    let bed = Bed::plain(65536, 1);
    let device = bed.open();
    bed.main.fail("offline");
    device.scrub_start(0).unwrap();
    assert_eq!(wait_for_end(&device), ScrubState::Failed);
    assert_eq!(device.status().slots_used, 0);
}

#[test]
fn damaged_metadata_copies_are_found_and_repaired() {
    let bed = Bed::plain(4096, 2);
    let device = bed.open();
    let superblock = scan(&*bed.spares[0]).newest.unwrap();
    let layout = superblock.layout_of(&superblock.members[0]).unwrap();
    let page = layout.page_address(1, 0).bytes() as usize;
    bed.spares[0].memory.corrupt(|bytes| bytes[page + 100] ^= 1);
    let report = device.verify_metadata().unwrap();
    assert_eq!((report.repaired, report.bad), (1, 0));
    assert_eq!(report.good + 1, report.pages * 6);
    let report = device.verify_metadata().unwrap();
    assert_eq!((report.good, report.repaired), (report.pages * 6, 0));
}
