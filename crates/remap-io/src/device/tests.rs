//! Facts about a running device: first of all the promises it makes.

use remap_core::set::SetState;
use remap_core::{DiskError, Sector, SectorRange};

use super::{Event, ExtentKind, Order, RequestError};
use crate::members::CreateOptions;
use crate::testbed::{Bed, sector_of, stamp_of};

mod closing;
mod contents;
mod counting;
mod orders;
mod scrubbing;
mod stress;

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n / 512 + n) as u8).collect()
}

const MEDIUM: RequestError = RequestError::Disk(DiskError::Medium);

#[test]
fn promise_1_a_write_that_the_main_device_refuses_succeeds_and_survives() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad 100 2");
    let data = pattern(8192);
    device.write(Sector(96), &data, false).unwrap();
    let mut back = vec![0; 8192];
    device.read(Sector(96), &mut back).unwrap();
    assert!(back == data);
    assert_eq!(device.status().moved_sectors, 8);
    device.flush().unwrap();
    drop(device);
    for disk in bed.spares.iter().chain([&bed.main]) {
        disk.memory.power_cut(|_| false);
    }
    bed.open().read(Sector(96), &mut back).unwrap();
    assert!(back == data);
}

#[test]
fn promise_2_a_sector_that_cannot_be_read_fails_alone_and_at_once_from_then_on() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    device.write(Sector(96), &[7; 4096], false).unwrap();
    bed.main.fail("bad-read 100 1");
    let mut block = vec![0; 4096];
    assert_eq!(device.read(Sector(96), &mut block), Err(MEDIUM));
    let reads_before = bed.main.faulty.counts().reads;
    for sector in 96..104 {
        let mut one = [0; 512];
        let read = device.read(Sector(sector), &mut one);
        assert_eq!(read.is_ok(), sector != 100, "sector {sector}");
        assert!(read.is_err() || one == [7; 512]);
    }
    assert_eq!(bed.main.faulty.counts().reads, reads_before, "nothing goes to the bad area again");
}

#[test]
fn promise_2_the_first_write_to_a_lost_sector_makes_it_whole() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad-read 100 1");
    let mut one = [0; 512];
    assert_eq!(device.read(Sector(100), &mut one), Err(MEDIUM));
    device.write(Sector(100), &sector_of(5), false).unwrap();
    device.read(Sector(100), &mut one).unwrap();
    assert_eq!(stamp_of(&one), Some(5));
    assert_eq!(device.status().lost_sectors, 0);
}

#[test]
fn promise_2_lost_sectors_read_as_zeros_where_that_was_chosen_and_the_others_as_they_are() {
    let options = CreateOptions { lost_reads_zero: true, ..CreateOptions::default() };
    let bed = Bed::new(4096, 1, &options);
    let device = bed.open();
    device.write(Sector(96), &[7; 8192], false).unwrap();
    bed.main.fail("bad-read 100 1");
    let mut want = vec![7; 8192];
    want[4 * 512..5 * 512].fill(0);
    for _ in 0..2 {
        let mut back = vec![1; 8192];
        device.read(Sector(96), &mut back).unwrap();
        assert!(back == want);
    }
}

#[test]
fn promise_2_a_dead_device_never_reads_as_zeros() {
    let options = CreateOptions { lost_reads_zero: true, ..CreateOptions::default() };
    let bed = Bed::new(4096, 1, &options);
    let device = bed.open();
    bed.main.fail("bad-read 0 4096 error=io");
    let mut block = vec![0; 4096];
    assert!(device.read(Sector(96), &mut block).is_err());
    assert_eq!(device.status().lost_sectors, 0);
}

#[test]
fn promise_3_neighbours_of_a_lost_sector_are_salvaged() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    device.write(Sector(96), &[7; 4096], false).unwrap();
    bed.main.fail("bad-read 100 1");
    let mut one = [0; 512];
    assert_eq!(device.read(Sector(100), &mut one), Err(MEDIUM));
    bed.main.fail("bad 96 8");
    device.read(Sector(97), &mut one).unwrap();
    assert_eq!(one, [7; 512]);
}

#[test]
fn promise_3_what_is_salvaged_is_what_a_write_under_way_leaves() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("slow 97 1 ms=200 times=1\nbad-read 100 1");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| device.write(Sector(97), &[9; 512], false));
        while device.status().in_flight == 0 {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(device.read(Sector(100), &mut [0; 512]), Err(MEDIUM));
        assert!(writer.is_finished(), "recovery waits for what is under way in the block");
    });
    assert_eq!(device.status().moved_sectors, 7);
    let mut back = [0; 512];
    device.read(Sector(97), &mut back).unwrap();
    assert_eq!(back, [9; 512]);
}

#[test]
fn promise_3_a_write_to_a_held_block_waits_and_goes_where_it_lives_then() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad-read 100 1\nslow 103 1 ms=100");
    let reads = bed.main.faulty.counts().reads;
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| device.read(Sector(100), &mut [0; 512]));
        while bed.main.faulty.counts().reads < reads + 4 {
            std::thread::yield_now();
        }
        device.write(Sector(98), &[8; 512], false).unwrap();
        assert_eq!(reader.join().unwrap(), Err(MEDIUM));
    });
    assert_eq!(device.status().io.waits, 1);
    let mut back = [0; 512];
    device.read(Sector(98), &mut back).unwrap();
    assert_eq!(back, [8; 512]);
}

#[test]
fn promise_4_a_flush_reaches_the_main_device_and_the_spare_of_a_moved_block() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad 100 1");
    device.write(Sector(100), &sector_of(1), true).unwrap();
    device.write(Sector(100), &sector_of(2), false).unwrap();
    device.write(Sector(200), &sector_of(3), false).unwrap();
    assert!(bed.spares[0].memory.unflushed_writes() > 0);
    device.flush().unwrap();
    assert_eq!(bed.spares[0].memory.unflushed_writes(), 0);
    assert_eq!(bed.main.memory.unflushed_writes(), 0);
}

#[test]
fn promise_4_a_spare_that_holds_nothing_new_is_not_flushed() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    device.flush().unwrap();
    let flushes = bed.spares[0].faulty.counts().flushes;
    device.write(Sector(0), &sector_of(1), false).unwrap();
    device.flush().unwrap();
    assert_eq!(bed.spares[0].faulty.counts().flushes, flushes);
}

#[test]
fn promise_4_a_flush_that_a_disk_refuses_fails() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("offline");
    assert_eq!(device.flush(), Err(RequestError::Disk(DiskError::Offline)));
}

#[test]
fn promise_5_a_dead_disk_is_not_a_million_bad_sectors() {
    let bed = Bed::plain(65536, 1);
    let device = bed.open();
    bed.main.fail("bad 0 65536 error=io");
    for block in 0..100 {
        assert!(device.write(Sector(block * 8), &[1; 4096], false).is_err());
    }
    let status = device.status();
    assert_eq!((status.state, status.slots_used), ("failing", 0));
    assert!(status.health <= 10);
    bed.main.fail("");
    assert!(device.probe());
    device.write(Sector(0), &[1; 4096], false).unwrap();
    assert_eq!(device.status().state, "active");
}

#[test]
fn promise_5_a_device_that_is_gone_passes_its_error_on() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("offline");
    let mut one = [0; 512];
    assert_eq!(device.read(Sector(0), &mut one), Err(RequestError::Disk(DiskError::Offline)));
    assert_eq!(device.write(Sector(0), &one, false), Err(RequestError::Disk(DiskError::Offline)));
    assert_eq!(device.status().slots_used, 0);
}

#[test]
fn promise_6_a_slot_that_refuses_a_write_is_retired_for_another() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad 0 4096");
    device.write(Sector(0), &[1; 4096], false).unwrap();
    let first = device.mappings(0, 1)[0];
    bed.spares[0].fail(&format!("bad-write {} 8", first.spare_sector));
    device.write(Sector(0), &[2; 4096], false).unwrap();
    let mut back = vec![0; 4096];
    device.read(Sector(0), &mut back).unwrap();
    assert!(back == [2; 4096]);
    let status = device.status();
    assert_eq!((status.slots_used, status.slots_retired), (1, 1));
    assert_ne!(device.mappings(0, 1)[0].slot, first.slot);
}

#[test]
fn promise_6_without_room_writes_that_need_it_fail_and_everything_else_goes_on() {
    let bed = Bed::plain(65536, 1);
    let device = bed.open();
    let slots = device.status().slots_total;
    bed.main.fail("bad-write 0 65536");
    let whole = vec![1; 65536 * 512 / 16];
    let mut failed = false;
    for part in 0..16 {
        match device.write(Sector(part * 4096), &whole, false) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, RequestError::NoRoom);
                failed = true;
                break;
            }
        }
    }
    assert!(failed);
    let status = device.status();
    assert_eq!(status.slots_used, slots);
    assert!(status.health <= 40);
    device.write(Sector(0), &[3; 4096], false).unwrap();
    device.read(Sector(65528), &mut [0; 4096]).unwrap();
    device.flush().unwrap();
}

#[test]
fn promise_7_a_healthy_request_is_one_request_to_the_main_device() {
    let bed = Bed::plain(65536, 1);
    let device = bed.open();
    let before = bed.main.faulty.counts();
    device.write(Sector(0), &vec![1; 1 << 20], false).unwrap();
    device.read(Sector(0), &mut vec![0; 1 << 20]).unwrap();
    let after = bed.main.faulty.counts();
    assert_eq!((after.reads - before.reads, after.writes - before.writes), (1, 1));
}

#[test]
fn promise_8_the_main_device_is_only_written_by_the_users_writes() {
    let bed = Bed::plain(4096, 1);
    let before = bed.main.memory.image();
    let device = bed.open();
    bed.main.fail("bad-read 100 1");
    assert_eq!(device.read(Sector(96), &mut [0; 4096]), Err(MEDIUM));
    device.order(Order::Remap, SectorRange::new(Sector(512), 64), &mut |_, _| {}).unwrap();
    device.close().unwrap();
    assert!(bed.main.memory.image() == before);
    assert_eq!(bed.main.faulty.counts().writes, 0);
}

#[test]
fn a_request_longer_than_a_job_is_recovered_in_parts() {
    let bed = Bed::plain(65536, 1);
    let device = bed.open();
    bed.main.fail("bad 1000 1\nbad 3000 1");
    let data = pattern(2 << 20);
    device.write(Sector(512), &data, false).unwrap();
    let mut back = vec![0; 2 << 20];
    device.read(Sector(512), &mut back).unwrap();
    assert!(back == data);
    assert_eq!(device.status().slots_used, 2);
}

#[test]
fn ranges_must_be_whole_blocks_within_the_device() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    assert_eq!(device.read(Sector(0), &mut [0; 100]), Err(RequestError::Misaligned));
    assert_eq!(device.read(Sector(0), &mut []), Err(RequestError::Misaligned));
    assert_eq!(device.read(Sector(4096), &mut [0; 512]), Err(RequestError::OutOfRange));
    assert_eq!(device.write(Sector(4095), &[0; 1024], false), Err(RequestError::OutOfRange));
    let overflowing = SectorRange::new(Sector(u64::MAX), 8);
    assert_eq!(device.discard(overflowing), Err(RequestError::OutOfRange));
    assert_eq!(device.write_zeroes(overflowing, false), Err(RequestError::OutOfRange));
}

#[test]
fn write_zeroes_is_a_write_of_zeros_wherever_the_sectors_live() {
    let bed = Bed::plain(16384, 1);
    let device = bed.open();
    bed.main.fail("bad 100 1");
    device.write(Sector(0), &vec![9; 4 << 20], false).unwrap();
    device.write_zeroes(SectorRange::new(Sector(8), 8000), true).unwrap();
    let mut back = vec![0; 4 << 20];
    device.read(Sector(0), &mut back).unwrap();
    assert!(back[..4096].iter().all(|byte| *byte == 9));
    assert!(back[4096..8008 * 512].iter().all(|byte| *byte == 0));
    assert!(back[8008 * 512..].iter().all(|byte| *byte == 9));
}

#[test]
fn a_discard_leaves_moved_sectors_as_they_are() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad-write 100 1");
    device.write(Sector(96), &[9; 8192], false).unwrap();
    device.discard(SectorRange::new(Sector(96), 16)).unwrap();
    let mut back = [0; 512];
    device.read(Sector(100), &mut back).unwrap();
    assert_eq!(back, [9; 512]);
    device.read(Sector(104), &mut back).unwrap();
    assert_eq!(back, [0; 512]);
}

#[test]
fn extents_tell_where_sectors_live() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad-read 100 1");
    assert_eq!(device.read(Sector(100), &mut [0; 512]), Err(MEDIUM));
    let mut seen = Vec::new();
    let range = SectorRange::new(Sector(0), 4096);
    device.extents(range, &mut |extent| seen.push((extent.range.start.0, extent.range.sectors, extent.kind)));
    let expected = [
        (0, 96, ExtentKind::Main),
        (96, 4, ExtentKind::Moved),
        (100, 1, ExtentKind::Lost),
        (101, 3, ExtentKind::Moved),
        (104, 3992, ExtentKind::Main),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn events_are_told_and_those_before_there_was_a_listener_too() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad 100 1");
    device.write(Sector(100), &sector_of(1), false).unwrap();
    let (sender, events) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    device.set_event_sink(Box::new(move |event| {
        sender.lock().unwrap().send(*event).unwrap();
    }));
    assert!(events.try_iter().any(|event| matches!(event, Event::Moved { .. })));
    bed.main.fail("offline");
    assert!(!device.probe());
    assert!(events.try_iter().any(|event| event == Event::State(SetState::Failing)));
}

#[test]
fn a_spare_that_stops_answering_goes_offline_and_the_device_goes_on() {
    let bed = Bed::plain(4096, 2);
    let device = bed.open();
    bed.main.fail("bad 0 4096");
    device.write(Sector(0), &[1; 4096], true).unwrap();
    bed.spares[0].fail("offline");
    device.write(Sector(800), &[2; 4096], true).unwrap();
    let mut back = vec![0; 4096];
    device.read(Sector(800), &mut back).unwrap();
    assert!(back == [2; 4096]);
    let status = device.status();
    assert_eq!((status.spares[0].state, status.spares[1].state), ("offline", "present"));
    assert!(device.read(Sector(0), &mut back).is_err());
    device.flush().unwrap();
}

#[test]
fn a_flush_tells_once_that_an_offline_spare_has_taken_unflushed_writes_with_it() {
    let bed = Bed::plain(4096, 2);
    let device = bed.open();
    bed.main.fail("bad 0 4096");
    device.write(Sector(0), &[1; 4096], true).unwrap();
    device.write(Sector(0), &[2; 4096], false).unwrap();
    bed.spares[0].fail("offline");
    assert!(device.flush().is_err());
    assert!(device.flush().is_err(), "it may come back as long as it does not count as offline");
    device.write(Sector(800), &[2; 4096], true).unwrap();
    assert_eq!(device.status().spares[0].state, "offline");
    assert!(device.flush().is_err());
    device.flush().unwrap();
}

#[test]
fn when_recovery_halts_by_a_defect_every_later_request_fails() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    device.set_event_sink(Box::new(|_| panic!("a defect, for the sake of the test")));
    bed.main.fail("bad 100 1");
    assert_eq!(device.write(Sector(100), &[1; 512], false), Err(RequestError::Halted));
    assert_eq!(device.read(Sector(0), &mut [0; 512]), Err(RequestError::Halted));
    assert_eq!(device.read(Sector(100), &mut [0; 512]), Err(RequestError::Halted));
    assert!(device.close().is_err());
    drop(device);
    bed.open().read(Sector(0), &mut [0; 512]).unwrap();
}
