//! What the device promises, a test for each, in the words of the promise.

mod rig;

use remap_core::port::{Device, Effect, Event, Place};
use remap_core::recovery::MAX_BATCH;
use remap_core::recovery::job::{Job, JobError, JobKind};
use remap_core::set::{SetState, Target};
use remap_core::{DiskError, Sector, SectorRange};
use rig::{LOST, On, Rig, Shape, pattern, patterns};
use std::cell::RefCell;
use std::rc::Rc;

fn is_main_write(effect: &Effect) -> bool {
    matches!(effect, Effect::Write { device: Device::Main, .. })
}

#[test]
fn promise_1_a_write_the_main_device_refuses_succeeds() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(800, 16, On::Both);
    assert_eq!(rig.write(&mut engine, 790, 40, 2), Ok(()));
    assert!(rig.holds(&mut engine, 790, 40, 2));
    assert_eq!(engine.set.counters.snapshot().sectors_lost, 0);
    assert!(engine.set.gauges.moved.value() >= 16);
    // It completed, so it is durable where the main device refused it, flushed or not.
    rig.cut_power(|_| false);
    let mut engine = rig.open();
    assert!(rig.holds(&mut engine, 800, 16, 2));
}

#[test]
fn promise_1_data_and_mapping_are_durable_before_the_write_completes() {
    let mut completed = 0;
    let mut before = Rig::new(&Shape { spares: &[14_000, 14_000], ..Shape::default() });
    let mut engine = before.open();
    before.main().fail(802, 3, On::Both);
    before.write(&mut engine, 802, 1, 2).unwrap();
    before.close(engine);
    for power in 0..60 {
        for kept in 0..4u64 {
            let mut rig = Rig::over(before.disks.clone());
            let mut engine = rig.open();
            rig.power = Some(power);
            let outcome = rig.try_write(&mut engine, 801, &patterns(801, 4, 3));
            let mut random = u64::from(power) * 4 + kept;
            rig.cut_power(|_| match kept {
                0 => false,
                1 => true,
                _ => {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    random >> 63 == 0
                }
            });
            let mut engine = rig.open();
            let new_or = |rig: &mut Rig, engine: &mut rig::Engine, sector, old| {
                let read = rig.read(engine, sector, 1);
                let is_new = read.as_deref() == Ok(&pattern(sector, 3));
                assert!(
                    is_new || read.as_deref() == Ok(&pattern(sector, old)),
                    "cut {power}, kept {kept}: {sector}"
                );
                is_new
            };
            let there = new_or(&mut rig, &mut engine, 802, 2);
            if outcome.is_some() {
                completed += 1;
                assert_eq!(outcome, Some(Ok(())));
                assert!(there, "cut {power}, kept {kept}");
                assert!(rig.holds(&mut engine, 802, 3, 3), "cut {power}, kept {kept}");
            }
        }
    }
    assert!(completed > 40, "the cuts reach beyond the end of the write");
}

#[test]
fn promise_2_a_read_never_lies() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(805, 1, On::Reads);
    // The sector fails, alone.
    assert_eq!(rig.read(&mut engine, 800, 8), Err(LOST));
    for sector in (800..805).chain(806..816) {
        assert!(rig.holds(&mut engine, sector, 1, 1), "sector {sector}");
    }
    // Later reads fail at once and leave the bad place alone, even after a restart.
    rig.close(engine);
    let mut engine = rig.open();
    rig.log.clear();
    for _ in 0..3 {
        assert_eq!(rig.read(&mut engine, 805, 1), Err(LOST));
    }
    assert_eq!(rig.log, []);
    // The first write makes it whole.
    assert_eq!(rig.write(&mut engine, 805, 1, 2), Ok(()));
    assert!(rig.holds(&mut engine, 805, 1, 2));
    assert!(rig.holds(&mut engine, 800, 5, 1));
    assert_eq!(engine.set.gauges.lost.value(), 0);
    assert_eq!(engine.set.counters.snapshot().sectors_healed, 1);
}

#[test]
fn promise_2_zeros_for_lost_sectors_are_an_option_and_no_default() {
    for lost_reads_zero in [false, true] {
        let mut rig = Rig::blank(&Shape { lost_reads_zero, ..Shape::default() });
        let mut engine = rig.open();
        rig.main().fail(805, 1, On::Reads);
        assert_eq!(rig.read(&mut engine, 805, 1), Err(LOST));
        assert_eq!(engine.set.resolve(SectorRange::new(Sector(805), 1)).target, Target::Lost);
        assert_eq!(engine.set.lost_reads_zero(), lost_reads_zero);
    }
}

#[test]
fn promise_2_accepting_a_loss_writes_zeros_there_and_nowhere_else() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(803, 2, On::Reads);
    assert_eq!(rig.read(&mut engine, 800, 8), Err(LOST));
    assert_eq!(rig.order(&mut engine, JobKind::AcceptLoss, 0, 20_483), Ok(()));
    assert_eq!(rig.read(&mut engine, 803, 2), Ok(vec![0; 1024]));
    assert!(rig.holds(&mut engine, 800, 3, 1) && rig.holds(&mut engine, 805, 3, 1));
}

#[test]
fn promise_3_neighbours_are_salvaged() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(803, 1, On::Reads);
    assert_eq!(rig.read(&mut engine, 803, 1), Err(LOST));
    assert_eq!(engine.set.counters.snapshot().sectors_salvaged, 7);
    // The whole area goes bad: it is not needed any more.
    rig.main().fail(800, 8, On::Both);
    assert!(rig.holds(&mut engine, 800, 3, 1) && rig.holds(&mut engine, 804, 4, 1));
    rig.write(&mut engine, 801, 2, 5).unwrap();
    assert!(rig.holds(&mut engine, 801, 2, 5) && rig.holds(&mut engine, 804, 4, 1));
    assert!(rig.events().contains(&Event::Lost { block: remap_core::BlockIndex(100), mask: 1 << 3 }));
}

#[test]
fn promise_3_a_block_with_a_moved_sector_stays_correct_for_its_others() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(803, 1, On::Writes);
    rig.write(&mut engine, 803, 1, 2).unwrap();
    assert_eq!(engine.set.gauges.moved.value(), 1);
    rig.write(&mut engine, 800, 3, 3).unwrap();
    rig.write(&mut engine, 806, 10, 4).unwrap();
    for (start, sectors, stamp) in [(800, 3, 3), (803, 1, 2), (804, 2, 1), (806, 10, 4)] {
        assert!(rig.holds(&mut engine, start, sectors, stamp), "{start}+{sectors}");
    }
    assert_eq!(rig.main().peek(801), pattern(801, 3));
}

#[test]
fn promise_4_a_flush_means_it() {
    let mut rig = Rig::new(&Shape { spares: &[9_000, 14_000], ..Shape::default() });
    let mut engine = rig.open();
    // More than the first spare takes, so that sectors live on all three devices.
    rig.main().fail(4000, 2000, On::Both);
    for start in (3960..6040).step_by(40) {
        rig.write(&mut engine, start, 40, 2).unwrap();
    }
    for start in (3960..6040).step_by(40) {
        rig.write(&mut engine, start, 40, 3).unwrap();
    }
    assert!(engine.set.spares()[0].slots < 250, "the second spare is in use");
    rig.flush();
    rig.write(&mut engine, 4100, 1, 4).unwrap();
    rig.cut_power(|sector| sector % 2 == 0);
    let mut engine = rig.open();
    for start in (3960..6040).step_by(40) {
        if start != 4080 {
            assert!(rig.holds(&mut engine, start, 40, 3), "{start}");
        }
    }
}

#[test]
fn promise_4_a_write_that_must_be_durable_completes_after_a_flush_of_the_main_device() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(803, 1, On::Both);
    let kind = JobKind::Write { device: Device::Main, error: Some(DiskError::Medium), durable: true };
    let job = Job { kind, range: SectorRange::new(Sector(796), 16) };
    assert_eq!(rig.batch(&mut engine, vec![(job, patterns(796, 16, 2))]), Some(vec![Ok(())]));
    rig.cut_power(|_| false);
    let mut engine = rig.open();
    assert!(rig.holds(&mut engine, 796, 16, 2));
}

#[test]
fn promise_4_slot_data_is_flushed_before_any_page_points_at_it() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(800, 1, On::Both);
    rig.log.clear();
    rig.write(&mut engine, 800, 1, 2).unwrap();
    let spare = |effect: &Effect| {
        matches!(
            effect,
            Effect::Write { device: Device::Spare(_), .. } | Effect::Flush { device: Device::Spare(_) }
        )
    };
    let kinds: Vec<char> = rig
        .log
        .iter()
        .filter(|effect| spare(effect))
        .map(|effect| match effect {
            Effect::Write { from: Place::Job { .. }, .. } => 'd',
            Effect::Write { .. } => 'p',
            _ => 'f',
        })
        .collect();
    // Data, flush; the first copy of the page, flush; the two others, flush.
    assert_eq!(kinds.iter().collect::<String>(), "dfpfppf");
}

#[test]
fn promise_5_a_dead_disk_is_not_a_million_bad_sectors() {
    for error in [DiskError::Io, DiskError::Timeout, DiskError::Medium] {
        let mut rig = Rig::new(&Shape::default());
        let mut engine = rig.open();
        rig.main().dead = Some(error);
        for n in 0..1000 {
            let outcome = rig.write(&mut engine, n * 16, 1, 2);
            assert!(error == DiskError::Medium || outcome == Err(JobError::Disk(error)));
        }
        assert_eq!(engine.set.state(), SetState::Failing);
        // Medium errors are believed until they come in a storm.
        let believed = if error == DiskError::Medium { 39 } else { 0 };
        assert!(
            engine.set.gauges.mapped.value() <= believed,
            "{error}: {}",
            engine.set.gauges.mapped.value()
        );
        assert_eq!(rig.write(&mut engine, 8, 1, 2), Err(JobError::Disk(error)));
        // It answers again, and a second later it is believed again.
        rig.main().dead = None;
        rig.main().fail(12_000, 1, On::Both);
        rig.now_ms += 2000;
        assert_eq!(rig.write(&mut engine, 12_000, 1, 2), Ok(()));
        assert_eq!(engine.set.state(), SetState::Active);
    }
}

#[test]
fn promise_5_errors_that_are_not_about_a_place_pass_through() {
    for error in [
        DiskError::Offline,
        DiskError::Transport,
        DiskError::NoSpace,
        DiskError::Reservation,
        DiskError::Unsupported,
    ] {
        let mut rig = Rig::new(&Shape::default());
        let mut engine = rig.open();
        rig.main().fail_with(800, 8, On::Both, error, u32::MAX);
        assert_eq!(rig.write(&mut engine, 800, 8, 2), Err(JobError::Disk(error)));
        assert_eq!(rig.read(&mut engine, 800, 8), Err(JobError::Disk(error)));
        assert_eq!(engine.set.gauges.mapped.value(), 0, "{error}");
    }
}

#[test]
fn promise_5_an_error_of_unknown_cause_counts_as_a_bad_sector_while_the_disk_answers_elsewhere() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail_with(803, 2, On::Both, DiskError::Io, u32::MAX);
    assert_eq!(rig.write(&mut engine, 803, 1, 2), Ok(()));
    assert!(rig.holds(&mut engine, 803, 1, 2));
    assert_eq!(rig.read(&mut engine, 804, 1), Err(LOST));
    assert_eq!(engine.set.state(), SetState::Active);
}

#[test]
fn promise_5_the_operator_can_say_that_a_failing_disk_is_well() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().dead = Some(DiskError::Io);
    assert!(rig.write(&mut engine, 0, 1, 2).is_err());
    rig.main().dead = None;
    rig.main().fail(0, 1, On::Writes);
    rig.run(async |port| engine.recovery.resume(port).await);
    assert_eq!(engine.set.state(), SetState::Active);
    assert_eq!(rig.write(&mut engine, 0, 1, 2), Ok(()));
}

#[test]
fn promise_5_a_main_device_that_refuses_every_write_is_carried_as_long_as_slots_last() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(0, 20_483, On::Writes);
    let slots = u64::from(engine.set.spares()[0].slots);
    for block in 0..slots {
        assert_eq!(rig.write(&mut engine, block * 8, 8, 2), Ok(()), "block {block} of {slots}");
    }
    assert_eq!(rig.write(&mut engine, slots * 8, 8, 2), Err(JobError::NoRoom));
    assert_eq!(engine.set.state(), SetState::Active);
    assert!(rig.holds(&mut engine, 0, 8, 2) && rig.holds(&mut engine, slots * 8 - 8, 8, 2));
    assert!(rig.holds(&mut engine, slots * 8, 8, 1));
}

#[test]
fn promise_6_a_bad_spare_is_survived() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    let slot = |engine: &rig::Engine, n| engine.set.slot_address(remap_core::SlotIndex(n)).unwrap().1.0;
    // A slot that refuses to be written is retired, and another one taken.
    let first = slot(&engine, 0);
    rig.spare(0).fail(first, 8, On::Writes);
    rig.main().fail(800, 8, On::Both);
    assert_eq!(rig.write(&mut engine, 800, 8, 2), Ok(()));
    assert!(rig.holds(&mut engine, 800, 8, 2));
    assert_eq!(engine.set.gauges.retired.value(), 1);
    // A slot that can no longer be read loses its sectors, those alone; the next write takes another slot.
    let second = slot(&engine, 1);
    rig.spare(0).fail(second + 2, 1, On::Both);
    assert_eq!(rig.read(&mut engine, 800, 8), Err(LOST));
    assert_eq!(rig.read(&mut engine, 802, 1), Err(LOST));
    assert!(rig.holds(&mut engine, 800, 2, 2) && rig.holds(&mut engine, 803, 5, 2));
    assert_eq!(rig.write(&mut engine, 802, 1, 3), Ok(()));
    assert!(rig.holds(&mut engine, 802, 1, 3));
    assert_eq!(engine.set.gauges.retired.value(), 2);
    // Retired is for ever.
    rig.close(engine);
    let mut engine = rig.open();
    assert_eq!(engine.set.gauges.retired.value(), 2);
    assert!(rig.holds(&mut engine, 800, 2, 2) && rig.holds(&mut engine, 802, 1, 3));
}

#[test]
fn promise_6_with_no_room_left_only_the_writes_that_need_room_fail() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(0, 8000, On::Writes);
    let slots = u64::from(engine.set.spares()[0].slots);
    for block in 0..slots {
        rig.write(&mut engine, block * 8, 1, 2).unwrap();
    }
    let full = slots * 8;
    assert_eq!(rig.write(&mut engine, full, 1, 2), Err(JobError::NoRoom));
    assert!(
        rig.events().iter().any(|event| matches!(event, Event::SpareFull { range } if range.start.0 == full))
    );
    // What is moved is written, what is well goes on, the bad place still reads.
    assert_eq!(rig.write(&mut engine, 0, 8, 3), Ok(()));
    assert_eq!(rig.write(&mut engine, 9000, 8, 3), Ok(()));
    assert!(rig.holds(&mut engine, 0, 8, 3) && rig.holds(&mut engine, 9000, 8, 3));
    assert!(rig.holds(&mut engine, full, 1, 1));
    // Giving a block back makes room.
    rig.main().faults.clear();
    assert_eq!(rig.order(&mut engine, JobKind::Unmap, 8, 8), Ok(()));
    rig.main().fail(full, 1, On::Writes);
    assert_eq!(rig.write(&mut engine, full, 1, 2), Ok(()));
}

#[test]
fn promise_7_healthy_io_pays_one_lookup() {
    let mut rig = Rig::new(&Shape { main_sectors: 1 << 20, spares: &[40_000], ..Shape::default() });
    let mut engine = rig.open();
    let whole =
        |engine: &rig::Engine, start| engine.set.resolve(SectorRange::new(Sector(start), (1 << 20) - start));
    // Nothing is mapped: the answer for half a GiB is one piece.
    assert_eq!(whole(&engine, 0).sectors, 1 << 20);
    rig.main().fail(0, 2048, On::Writes);
    for block in 0..256 {
        rig.write(&mut engine, block * 8, 1, 2).unwrap();
    }
    // The mappings of one region cost the others nothing.
    let piece = whole(&engine, 2048);
    assert_eq!((piece.target, piece.sectors), (Target::Main, (1 << 20) - 2048));
}

#[test]
fn promise_8_the_main_device_is_only_ever_written_by_the_users_writes() {
    let mut rig = Rig::new(&Shape::default());
    let before: Vec<_> = (0..20_483).map(|sector| rig.main().peek(sector)).collect();
    let mut engine = rig.open();
    rig.main().fail(800, 1, On::Reads);
    rig.main().fail(1600, 3, On::Reads);
    assert!(rig.read(&mut engine, 790, 30).is_err() && rig.read(&mut engine, 1599, 8).is_err());
    assert_eq!(rig.order(&mut engine, JobKind::Remap, 4000, 64), Ok(()));
    assert_eq!(rig.order(&mut engine, JobKind::Retry { attempts: 3 }, 0, 2048), Err(LOST));
    assert_eq!(rig.order(&mut engine, JobKind::AcceptLoss, 800, 1), Ok(()));
    let pages = engine.recovery.superblock().pages();
    rig.run(async |port| {
        for page in 0..pages {
            engine.recovery.verify_page(port, page).await;
        }
        engine.recovery.probe(port).await
    });
    rig.close(engine);
    let mut engine = rig.open();
    assert_eq!(rig.count(is_main_write), 0);
    assert!((0..20_483).all(|sector| rig.main().peek(sector) == before[sector as usize]));
    // A user's write that fails is tried again, and writes what the user writes.
    rig.main().fail(2003, 1, On::Writes);
    rig.write(&mut engine, 1990, 30, 2).unwrap();
    assert!(
        (0..20_483).filter(|s| rig.main().peek(*s) != before[*s as usize]).all(|s| (1990..2020).contains(&s))
    );
}

#[test]
fn requests_to_held_blocks_wait_and_others_go_ahead() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    rig.main().fail(803, 1, On::Both);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (set, list) = (engine.set, Rc::clone(&seen));
    rig.watch = Some(Box::new(move |effect| {
        let at = |sector| set.resolve(SectorRange::new(Sector(sector), 1)).target;
        list.borrow_mut().push((effect, at(800), at(808)));
    }));
    rig.write(&mut engine, 803, 1, 2).unwrap();
    let mut released = false;
    for (effect, held, other) in &*seen.borrow() {
        released |= *effect == Effect::Released;
        assert_eq!(*held == Target::Busy, !released, "{effect:?}");
        assert_eq!(*other, Target::Main);
        assert!(released || !matches!(effect, Effect::Finished { .. }), "released first, then finished");
    }
    assert!(released);
}

#[test]
fn jobs_beyond_a_batch_are_told_to_come_again() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    let kind = JobKind::Write { device: Device::Main, error: Some(DiskError::Medium), durable: false };
    let jobs = (0..MAX_BATCH as u64 + 2)
        .map(|n| (Job { kind, range: SectorRange::new(Sector(n * 8), 1) }, patterns(n * 8, 1, 2)))
        .collect();
    let results = rig.batch(&mut engine, jobs).unwrap();
    assert!(results[..MAX_BATCH].iter().all(Result::is_ok));
    assert_eq!(results[MAX_BATCH..], [Err(JobError::Disk(DiskError::Timeout)); 2]);
}

#[test]
fn jobs_behind_the_end_of_the_set_are_refused() {
    let mut rig = Rig::new(&Shape::default());
    let mut engine = rig.open();
    let refused = Err(JobError::Disk(DiskError::Unsupported));
    for (start, sectors) in [(20_480, 4), (20_483, 1), (u64::MAX - 1, 1), (u64::MAX, u64::MAX)] {
        for kind in [JobKind::AcceptLoss, JobKind::Remap, JobKind::Unmap, JobKind::Evacuate] {
            assert_eq!(rig.order(&mut engine, kind, start, sectors), refused, "{kind:?} {start}+{sectors}");
        }
    }
    assert_eq!(rig.order(&mut engine, JobKind::Remap, 20_480, 3), Ok(()));
}
