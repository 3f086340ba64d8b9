//! What operators order.

use remap_core::{Sector, SectorRange};

use super::MEDIUM;
use crate::device::{Order, OrderReport, RequestError};
use crate::testbed::{Bed, sector_of, stamp_of};

const ALL: SectorRange = SectorRange::new(Sector(0), 4096);

fn order(device: &crate::device::RemapDevice, order: Order, range: SectorRange) -> OrderReport {
    device.order(order, range, &mut |_, _| {}).unwrap()
}

#[test]
fn remap_moves_sectors_before_they_fail() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    device.write(Sector(0), &vec![4; 1 << 20], false).unwrap();
    let mut seen = Vec::new();
    let range = SectorRange::new(Sector(96), 520);
    let report = device.order(Order::Remap, range, &mut |done, total| seen.push((done, total))).unwrap();
    assert_eq!(report, OrderReport { blocks_done: 65, failures: vec![] });
    assert_eq!(seen.last(), Some(&(65, 65)));
    bed.main.fail("bad 96 520");
    let mut back = vec![0; 520 * 512];
    device.read(Sector(96), &mut back).unwrap();
    assert!(back.iter().all(|byte| *byte == 4));
}

#[test]
fn remap_reports_what_it_cannot_read_and_moves_the_rest() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    device.write(Sector(0), &vec![4; 1 << 20], false).unwrap();
    bed.main.fail("bad-read 300 1");
    let report = order(&device, Order::Remap, SectorRange::new(Sector(256), 256));
    assert_eq!(report.blocks_done, 31);
    assert_eq!(report.failures.len(), 1);
    assert_eq!(report.failures[0].0, SectorRange::new(Sector(296), 8));
    assert_eq!((device.status().slots_used, device.status().lost_sectors), (32, 1));
}

#[test]
fn accepting_a_loss_writes_zeros_for_lost_sectors_and_no_others() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    device.write(Sector(96), &[7; 4096], false).unwrap();
    bed.main.fail("bad-read 100 1");
    assert_eq!(device.read(Sector(100), &mut [0; 512]), Err(MEDIUM));
    assert_eq!(order(&device, Order::AcceptLoss, ALL).blocks_done, 1);
    let mut back = [1; 4096];
    device.read(Sector(96), &mut back).unwrap();
    let mut want = [7; 4096];
    want[4 * 512..5 * 512].fill(0);
    assert!(back == want);
}

#[test]
fn retry_heals_lost_sectors_that_answer_after_all() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    device.write(Sector(100), &sector_of(8), false).unwrap();
    bed.main.fail("bad-read 100 1 times=4");
    assert_eq!(device.read(Sector(100), &mut [0; 512]), Err(MEDIUM));
    let mut back = [0; 512];
    let report = order(&device, Order::Retry { attempts: 5 }, ALL);
    assert_eq!((report.blocks_done, report.failures.len()), (1, 0));
    device.read(Sector(100), &mut back).unwrap();
    assert_eq!(stamp_of(&back), Some(8));
    assert_eq!(device.status().lost_sectors, 0);
}

#[test]
fn unmap_writes_back_and_frees_the_slot_and_refuses_what_would_lie() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad 8 8\nbad 40 8");
    device.write(Sector(8), &[5; 4096], false).unwrap();
    device.write(Sector(40), &[6; 4096], false).unwrap();
    bed.main.fail("bad 40 8\nbad-read 72 1");
    assert_eq!(device.read(Sector(72), &mut [0; 512]), Err(MEDIUM));
    let report = order(&device, Order::Unmap, ALL);
    assert_eq!(report.blocks_done, 1);
    let failed: Vec<_> = report.failures.iter().map(|(range, _)| range.start.0).collect();
    assert_eq!(failed, [40, 72]);
    assert_eq!(device.status().slots_used, 2);
    for (sector, byte) in [(8, 5), (40, 6)] {
        let mut back = [0; 4096];
        device.read(Sector(sector), &mut back).unwrap();
        assert!(back == [byte; 4096]);
    }
}

#[test]
fn evacuating_empties_a_spare_and_gives_none_of_its_slots_out() {
    let bed = Bed::plain(4096, 2);
    let device = bed.open();
    bed.main.fail("bad-write 0 4096");
    device.write(Sector(0), &vec![3; 400 * 512], false).unwrap();
    assert_eq!(device.status().spares[0].slots_used, 50);
    device.evacuate(0).unwrap();
    device.write(Sector(800), &[4; 4096], false).unwrap();
    let status = device.status();
    assert_eq!((status.spares[0].slots_used, status.spares[1].slots_used), (0, 51));
    let mut back = vec![0; 400 * 512];
    device.read(Sector(0), &mut back).unwrap();
    assert!(back.iter().all(|byte| *byte == 3));
    assert_eq!(device.evacuate(2), Err(RequestError::NoSuchSpare));
}

#[test]
fn evacuating_the_only_spare_fails_and_leaves_it_in_use() {
    let bed = Bed::plain(4096, 1);
    let device = bed.open();
    bed.main.fail("bad 0 4096");
    device.write(Sector(0), &[3; 4096], false).unwrap();
    assert_eq!(device.evacuate(0), Err(RequestError::NoRoom));
    assert_eq!(device.status().spares[0].state, "present");
    device.write(Sector(800), &[4; 4096], false).unwrap();
}

#[test]
fn orders_of_a_read_only_device_and_outside_of_it_are_refused() {
    let bed = Bed::plain(4096, 1);
    let options = crate::members::DeviceOptions { read_only: true, ..Default::default() };
    let device = crate::device::RemapDevice::open(bed.members(), &options).unwrap();
    let refused = device.order(Order::Remap, ALL, &mut |_, _| {});
    assert_eq!(refused, Err(RequestError::ReadOnly));
    let outside = SectorRange::new(Sector(4096), 8);
    assert_eq!(device.order(Order::Unmap, outside, &mut |_, _| {}), Err(RequestError::OutOfRange));
}
