//! Recovery beyond the promises: the operator's orders, several spares, block sizes, what a commit costs.

mod rig;

use remap_core::port::{Device, Effect, Event};
use remap_core::recovery::MAX_BATCH;
use remap_core::recovery::job::{Job, JobError, JobKind};
use remap_core::set::{SetState, SpareState, Target};
use remap_core::{BlockIndex, BlockSize, DiskError, Sector, SectorRange, SlotIndex};
use rig::{Engine, LOST, On, Rig, Shape, pattern, patterns};

fn slot_sector(engine: &Engine, slot: u32) -> u64 {
    engine.set.slot_address(SlotIndex(slot)).unwrap().1.0
}

fn spare_of(engine: &Engine, block: u64) -> usize {
    let mapping = engine.set.table().lookup(BlockIndex(block)).expect("the block is mapped");
    engine.set.spare_of(mapping.slot).unwrap().0
}

fn is_main_read(effect: &Effect) -> bool {
    matches!(effect, Effect::Read { device: Device::Main, .. })
}

/// A block whose slot lost sectors 2 and 3, while the main device holds their older content.
fn with_stale_sectors() -> (Rig, Engine) {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(800, 8, On::Writes);
    rig.write(&mut engine, 800, 8, 2).unwrap();
    let slot = slot_sector(&engine, 0);
    rig.spare(0).fail(slot + 2, 2, On::Reads);
    assert_eq!(rig.read(&mut engine, 800, 8), Err(LOST));
    (rig, engine)
}

#[test]
fn retry_heals_lost_sectors_that_answer_in_the_end() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail_with(803, 1, On::Reads, DiskError::Medium, 7);
    assert_eq!(rig.read(&mut engine, 800, 8), Err(LOST));
    assert_eq!(rig.order(&mut engine, JobKind::Retry { attempts: 2 }, 800, 8), Err(LOST));
    assert_eq!(rig.order(&mut engine, JobKind::Retry { attempts: 100 }, 800, 8), Ok(()));
    assert!(rig.holds(&mut engine, 800, 8, 1));
    assert_eq!(engine.set.counters.snapshot().sectors_healed, 1);
}

#[test]
fn retry_never_takes_what_the_main_device_had_before_the_sectors_were_moved() {
    let (mut rig, mut engine) = with_stale_sectors();
    rig.main().faults.clear();
    rig.log.clear();
    assert_eq!(rig.order(&mut engine, JobKind::Retry { attempts: 10 }, 800, 8), Err(LOST));
    assert_eq!(rig.count(is_main_read), 0);
    // Neither after a restart.
    rig.close(engine);
    let mut engine = rig.open();
    rig.log.clear();
    assert_eq!(rig.order(&mut engine, JobKind::Retry { attempts: 10 }, 800, 8), Err(LOST));
    assert_eq!(rig.count(is_main_read), 0);
    assert_eq!(rig.read(&mut engine, 802, 1), Err(LOST));
    assert!(rig.holds(&mut engine, 804, 4, 2));
}

#[test]
fn stale_sectors_are_whole_again_once_they_are_written_or_accepted() {
    let (mut rig, mut engine) = with_stale_sectors();
    assert_eq!(rig.write(&mut engine, 802, 1, 3), Ok(()));
    assert_eq!(rig.order(&mut engine, JobKind::AcceptLoss, 800, 8), Ok(()));
    assert!(rig.holds(&mut engine, 802, 1, 3));
    assert_eq!(rig.read(&mut engine, 803, 1), Ok(vec![0; 512]));
    assert!(rig.holds(&mut engine, 800, 2, 2) && rig.holds(&mut engine, 804, 4, 2));
}

#[test]
fn unmap_writes_back_verifies_and_frees_the_slot() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(800, 4, On::Both);
    rig.write(&mut engine, 800, 4, 2).unwrap();
    rig.main().faults.clear();
    assert_eq!(rig.order(&mut engine, JobKind::Unmap, 800, 1), Ok(()));
    assert_eq!(engine.set.table().lookup(BlockIndex(100)), None);
    assert_eq!(engine.set.gauges.mapped.value(), 0);
    assert_eq!(rig.main().peek(801), pattern(801, 2));
    rig.cut_power(|_| false);
    let mut engine = rig.open();
    assert!(rig.holds(&mut engine, 800, 4, 2) && rig.holds(&mut engine, 804, 4, 1));
    assert_eq!(engine.set.gauges.mapped.value(), 0);
}

#[test]
fn unmap_keeps_the_mapping_of_a_block_that_the_main_device_does_not_take_or_give_back() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(800, 4, On::Writes);
    rig.write(&mut engine, 800, 4, 2).unwrap();
    assert_eq!(rig.order(&mut engine, JobKind::Unmap, 800, 8), Err(LOST));
    rig.main().faults.clear();
    rig.main().fail(802, 1, On::Reads);
    assert_eq!(rig.order(&mut engine, JobKind::Unmap, 800, 8), Err(LOST));
    assert!(rig.holds(&mut engine, 800, 4, 2));
    assert_eq!(engine.set.gauges.mapped.value(), 1);
}

#[test]
fn unmap_refuses_a_block_with_lost_sectors() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(800, 1, On::Reads);
    assert_eq!(rig.read(&mut engine, 800, 1), Err(LOST));
    rig.main().faults.clear();
    assert_eq!(rig.order(&mut engine, JobKind::Unmap, 800, 8), Err(JobError::HoldsLost));
    assert!(rig.holds(&mut engine, 801, 7, 1));
}

#[test]
fn remap_moves_sectors_ahead_of_their_failing() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    assert_eq!(rig.order(&mut engine, JobKind::Remap, 802, 20), Ok(()));
    assert_eq!(engine.set.gauges.moved.value(), 20);
    rig.main().fail(802, 20, On::Both);
    assert!(rig.holds(&mut engine, 790, 40, 1));
    assert_eq!(rig.order(&mut engine, JobKind::Remap, 802, 20), Ok(()));
    assert_eq!(engine.set.gauges.mapped.value(), 3);
}

#[test]
fn evacuate_empties_a_draining_spare() {
    let mut rig = Rig::new(&Shape { spares: &[14_000, 14_000], ..Shape::default() });
    let mut engine = rig.open();
    rig.main().fail(0, 400, On::Both);
    for block in 0..50 {
        rig.write(&mut engine, block * 8, 5, 2).unwrap();
    }
    assert_eq!(rig.read(&mut engine, 7, 1), Err(LOST));
    engine.recovery.drain_spare(0, true);
    assert_eq!(engine.set.spares()[0].state(), SpareState::Draining);
    assert_eq!(rig.order(&mut engine, JobKind::Evacuate, 0, 20_483), Ok(()));
    assert!((0..50).all(|block| spare_of(&engine, block) == 1));
    rig.close(engine);
    let mut engine = rig.open();
    for block in 0..50 {
        assert_eq!(spare_of(&engine, block), 1);
        assert!(rig.holds(&mut engine, block * 8, 5, 2));
    }
    assert_eq!(rig.read(&mut engine, 7, 1), Err(LOST));
    assert_eq!(engine.set.gauges.retired.value(), 0);
}

#[test]
fn a_spare_that_stops_answering_goes_offline_and_the_next_one_is_used() {
    let mut rig = Rig::new(&Shape { spares: &[14_000, 14_000], ..Shape::default() });
    let mut engine = rig.open();
    rig.main().fail(0, 2000, On::Both);
    rig.write(&mut engine, 0, 8, 2).unwrap();
    rig.spare(0).dead = Some(DiskError::Offline);
    assert_eq!(rig.write(&mut engine, 80, 8, 2), Ok(()));
    assert_eq!(spare_of(&engine, 10), 1);
    assert_eq!(engine.set.spares()[0].state(), SpareState::Offline);
    assert_eq!(rig.events().iter().filter(|event| **event == Event::SpareOffline(0)).count(), 1);
    // What is on it fails as it does, and is not given up for lost.
    assert_eq!(rig.read(&mut engine, 0, 8), Err(JobError::Disk(DiskError::Offline)));
    assert_eq!(engine.set.gauges.lost.value(), 0);
    // It was away for a moment only: at the next start all is there.
    rig.spare(0).dead = None;
    let mut engine = rig.open();
    assert!(rig.holds(&mut engine, 0, 8, 2) && rig.holds(&mut engine, 80, 8, 2));
}

#[test]
fn with_its_only_spare_dead_a_set_is_read_only_or_without_room_and_says_so() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(0, 2000, On::Both);
    rig.spare(0).dead = Some(DiskError::Offline);
    let outcome = rig.write(&mut engine, 0, 8, 2);
    assert!(
        matches!(outcome, Err(JobError::NoRoom | JobError::Metadata | JobError::ReadOnly)),
        "{outcome:?}"
    );
    assert_eq!(rig.write(&mut engine, 4000, 8, 2), Ok(()));
    assert!(rig.holds(&mut engine, 4000, 8, 2));
}

#[test]
fn map_pages_that_no_spare_takes_make_the_set_read_only() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    let layout = engine.set.spares()[0].layout;
    for copy in 0..3 {
        rig.spare(0).fail(layout.page_address(copy, 0).0, 8, On::Writes);
    }
    rig.main().fail(0, 8, On::Both);
    assert_eq!(rig.write(&mut engine, 0, 8, 2), Err(JobError::Metadata));
    assert_eq!(engine.set.state(), SetState::ReadOnly);
    assert!(rig.events().contains(&Event::State(SetState::ReadOnly)));
    assert_eq!(rig.order(&mut engine, JobKind::Remap, 80, 8), Err(JobError::ReadOnly));
}

#[test]
fn a_page_copy_that_cannot_be_written_is_done_without() {
    for bad in 0..3 {
        let mut rig = Rig::new(&Shape::default());
        let mut engine = rig.open();
        let layout = engine.set.spares()[0].layout;
        rig.spare(0).fail(layout.page_address(bad, 0).0, 8, On::Both);
        rig.main().fail(0, 80, On::Both);
        for block in 0..10 {
            assert_eq!(rig.write(&mut engine, block * 8, 8, 2), Ok(()), "copy {bad}");
        }
        rig.cut_power(|_| false);
        let mut engine = rig.open();
        assert!((0..10).all(|block| rig.holds(&mut engine, block * 8, 8, 2)), "copy {bad}");
    }
}

#[test]
fn a_burst_of_a_thousand_failing_writes_costs_at_most_200_flushes() {
    let mut rig = Rig::new(&Shape { main_sectors: 40_000, spares: &[40_000], ..Shape::default() });
    let mut engine = rig.open();
    rig.main().fail(0, 20_000, On::Writes);
    rig.log.clear();
    let starts: Vec<u64> = (0..1000).map(|n| n * 16).collect();
    for chunk in starts.chunks(MAX_BATCH) {
        let kind = JobKind::Write { device: Device::Main, error: Some(DiskError::Medium), durable: false };
        let job =
            |start: &u64| (Job { kind, range: SectorRange::new(Sector(*start), 8) }, patterns(*start, 8, 2));
        let results = rig.batch(&mut engine, chunk.iter().map(job).collect()).unwrap();
        assert!(results.iter().all(Result::is_ok));
    }
    let flushes = rig.count(|effect| matches!(effect, Effect::Flush { .. }));
    let pages = engine.set.counters.snapshot().page_writes;
    assert!(flushes <= 200, "{flushes} flushes");
    assert!(pages <= 200, "{pages} page writes");
    rig.cut_power(|_| false);
    let mut engine = rig.open();
    assert!(starts.iter().all(|start| rig.holds(&mut engine, *start, 8, 2)));
}

#[test]
fn one_failing_write_costs_three_flushes_and_a_page_in_each_copy() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(0, 8, On::Writes);
    rig.log.clear();
    rig.write(&mut engine, 0, 8, 2).unwrap();
    assert_eq!(rig.count(|effect| matches!(effect, Effect::Flush { .. })), 3);
    assert_eq!(engine.set.counters.snapshot().page_writes, 3);
}

#[test]
fn every_block_size_moves_loses_and_salvages_sector_by_sector() {
    for sectors in [1u64, 2, 4, 8, 16] {
        let block_size = BlockSize::from_sectors(sectors as u32).unwrap();
        let mut rig = Rig::new(&Shape { block_size, spares: &[20_000], ..Shape::default() });
        let mut engine = rig.open();
        rig.main().fail(801, 1, On::Both);
        rig.main().fail(4000, 2, On::Both);
        assert_eq!(rig.read(&mut engine, 800, 4), Err(LOST), "{sectors} sectors");
        assert!(rig.holds(&mut engine, 800, 1, 1) && rig.holds(&mut engine, 802, 30, 1));
        assert_eq!(engine.set.counters.snapshot().sectors_salvaged, sectors - 1);
        assert_eq!(rig.write(&mut engine, 3990, 40, 2), Ok(()));
        assert_eq!(rig.write(&mut engine, 801, 1, 3), Ok(()));
        rig.cut_power(|_| true);
        let mut engine = rig.open();
        assert!(
            rig.holds(&mut engine, 3990, 40, 2) && rig.holds(&mut engine, 801, 1, 3),
            "{sectors} sectors"
        );
        assert!(rig.holds(&mut engine, 784, 17, 1));
    }
}

#[test]
fn a_main_device_of_4_kib_blocks_is_asked_in_whole_blocks_only() {
    for block_sectors in [8u32, 16] {
        let mut rig = Rig::new(&Shape {
            main_sectors: 20_480,
            block_size: BlockSize::from_sectors(block_sectors).unwrap(),
            logical_bytes: 4096,
            physical_bytes: 4096,
            spares: &[20_000],
            ..Shape::default()
        });
        let mut engine = rig.open();
        rig.main().fail(803, 1, On::Both);
        assert_eq!(rig.read(&mut engine, 800, 8), Err(LOST));
        assert!(rig.holds(&mut engine, 792, 8, 1) && rig.holds(&mut engine, 808, 8, 1));
        assert_eq!(rig.write(&mut engine, 800, 8, 2), Ok(()));
        assert!(rig.holds(&mut engine, 800, 8, 2));
        assert_eq!(rig.order(&mut engine, JobKind::Remap, 1600, 64), Ok(()));
        let aligned = |effect: &Effect| match effect {
            Effect::Read { device: Device::Main, start, sectors, .. }
            | Effect::Write { device: Device::Main, start, sectors, .. } => {
                start.0 % 8 == 0 && sectors % 8 == 0
            }
            _ => true,
        };
        assert!(rig.log.iter().all(aligned), "blocks of {block_sectors} sectors");
    }
}

#[test]
fn a_large_physical_block_that_fails_is_read_again_in_logical_ones() {
    let mut rig = Rig::new(&Shape { physical_bytes: 4096, ..Shape::default() });
    let mut engine = rig.open();
    rig.main().fail(803, 1, On::Reads);
    rig.log.clear();
    assert_eq!(rig.read(&mut engine, 803, 1), Err(LOST));
    assert!(rig.holds(&mut engine, 800, 3, 1) && rig.holds(&mut engine, 804, 4, 1));
}

#[test]
fn an_error_of_unknown_cause_that_does_not_come_again_loses_nothing() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail_with(803, 1, On::Reads, DiskError::Timeout, 2);
    assert!(rig.holds(&mut engine, 800, 8, 1));
    assert_eq!(engine.set.gauges.mapped.value(), 0);
}

#[test]
fn several_jobs_of_one_block_in_a_batch_are_all_kept() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(800, 8, On::Both);
    let kind = JobKind::Write { device: Device::Main, error: Some(DiskError::Medium), durable: false };
    let write = |start| (Job { kind, range: SectorRange::new(Sector(start), 1) }, patterns(start, 1, 2));
    let order = |kind| (Job { kind, range: SectorRange::new(Sector(800), 8) }, Vec::new());
    let jobs = vec![write(800), write(805), order(JobKind::Remap), write(801), order(JobKind::AcceptLoss)];
    let results = rig.batch(&mut engine, jobs).unwrap();
    assert_eq!(results, [Ok(()), Ok(()), Err(LOST), Ok(()), Ok(())]);
    rig.cut_power(|_| false);
    let mut engine = rig.open();
    for (sector, stamp) in [(800, 2), (801, 2), (805, 2)] {
        assert!(rig.holds(&mut engine, sector, 1, stamp));
    }
    assert_eq!(rig.read(&mut engine, 802, 3), Ok(vec![0; 3 * 512]));
    assert_eq!(engine.set.gauges.mapped.value(), 1);
}

#[test]
fn a_lost_sector_with_no_room_to_record_it_fails_and_disturbs_nobody() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(0, 8000, On::Writes);
    let slots = u64::from(engine.set.spares()[0].slots);
    for block in 0..slots {
        rig.write(&mut engine, block * 8, 1, 2).unwrap();
    }
    rig.main().fail(9003, 1, On::Reads);
    for _ in 0..2 {
        assert_eq!(rig.read(&mut engine, 9000, 8), Err(LOST));
        assert!(rig.holds(&mut engine, 9000, 3, 1) && rig.holds(&mut engine, 9004, 4, 1));
    }
    assert_eq!(engine.set.resolve(SectorRange::new(Sector(9003), 1)).target, Target::Main);
}

#[test]
fn the_last_block_of_an_odd_size_is_never_read_behind_the_end() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(20_481, 1, On::Both);
    assert_eq!(rig.read(&mut engine, 20_470, 13), Err(LOST));
    assert!(rig.holds(&mut engine, 20_480, 1, 1) && rig.holds(&mut engine, 20_482, 1, 1));
    assert_eq!(rig.write(&mut engine, 20_470, 13, 2), Ok(()));
    assert!(rig.holds(&mut engine, 20_470, 13, 2));
    rig.main().faults.clear();
    assert_eq!(rig.order(&mut engine, JobKind::Unmap, 20_480, 3), Ok(()));
    assert!(rig.holds(&mut engine, 20_470, 13, 2));
}
