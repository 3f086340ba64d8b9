//! What lies on the spares is damaged, old, missing or foreign: what opening makes of it.

mod rig;

use remap_core::layout::SUPERBLOCK_SECTORS;
use remap_core::open::{CopyState, OpenError, read_superblocks};
use remap_core::port::{Device, Effect, Event};
use remap_core::recovery::job::JobError;
use remap_core::set::{SetState, SpareState, Target};
use remap_core::{DiskError, Sector, SectorRange};
use rig::{Engine, LOST, On, Rig, Shape};

/// A closed set of two spares with mappings of blocks 0 to 9, of which block 3 lost a sector.
fn closed_set() -> Rig {
    let mut rig = Rig::new(&Shape { spares: &[14_000, 14_000], ..Shape::default() });
    let mut engine = rig.open();
    rig.main().fail(0, 80, On::Both);
    assert_eq!(rig.read(&mut engine, 24, 1), Err(LOST));
    for block in (0..10).filter(|block| *block != 3) {
        rig.write(&mut engine, block * 8, 8, 2).unwrap();
    }
    rig.close(engine);
    rig.log.clear();
    rig
}

fn assert_whole(rig: &mut Rig, engine: &mut Engine) {
    for block in (0..10).filter(|block| *block != 3) {
        assert!(rig.holds(engine, block * 8, 8, 2), "block {block}");
    }
    assert_eq!(rig.read(engine, 24, 1), Err(LOST));
    assert_eq!(engine.set.gauges.mapped.value(), 10);
}

/// Destroys copy `copy` of map page `page` on a spare.
fn destroy_page(rig: &mut Rig, engine: &Engine, spare: usize, copy: u32, page: u32) {
    let start = engine.set.spares()[spare].layout.page_address(copy, page).0;
    rig.spare(spare).poke(start + 3, &[0x55; 512]);
}

#[test]
fn with_two_superblocks_and_one_copy_of_each_page_destroyed_a_set_opens_and_repairs_itself() {
    for (first, second) in [(0, 1), (1, 4), (3, 0)] {
        let mut rig = closed_set();
        let engine = rig.open_read_only(false, &[true, true]).unwrap();
        let pages = engine.recovery.superblock().pages();
        for spare in 0..2 {
            for destroyed in [first, second] {
                rig.spare(spare).poke(SUPERBLOCK_SECTORS[destroyed], &[0xff; 512]);
            }
            for page in 0..pages {
                destroy_page(&mut rig, &engine, spare, (page + first as u32) % 3, page);
            }
        }
        let mut engine = rig.open();
        assert_whole(&mut rig, &mut engine);
        let repaired = rig.events().iter().filter(|event| matches!(event, Event::Repaired { .. })).count();
        assert_eq!(repaired as u32, 2 * pages);
        for spare in 0..2 {
            let scan = rig.run(async |port| read_superblocks(port, Device::Spare(spare)).await);
            assert_eq!(scan.damaged(), 0);
            assert_eq!(scan.refusal(), None);
        }
        // Repaired for good: nothing is left to do.
        rig.close(engine);
        rig.log.clear();
        let engine = rig.open();
        assert_eq!(rig.events(), []);
        assert_eq!(engine.set.counters.snapshot().metadata_errors, 0);
    }
}

#[test]
fn any_one_intact_superblock_and_copy_of_a_page_suffice() {
    for intact in 0..3u32 {
        let mut rig = closed_set();
        let engine = rig.open_read_only(false, &[true, true]).unwrap();
        let pages = engine.recovery.superblock().pages();
        for (copy, start) in SUPERBLOCK_SECTORS.into_iter().enumerate() {
            rig.spare(0).poke(start, &[0; 512]);
            if copy != intact as usize + 1 {
                rig.spare(1).poke(start, &[0; 512]);
            }
        }
        for page in 0..pages {
            for (spare, copy) in (0..3).flat_map(|copy| [(0, copy), (1, copy)]) {
                if (spare, copy) != (1, intact) {
                    destroy_page(&mut rig, &engine, spare, copy, page);
                }
            }
        }
        // The superblock is looked for on the first spare: it is given the other's.
        for sector in 0..8 {
            let at = SUPERBLOCK_SECTORS[intact as usize + 1] + sector;
            let bytes = rig.spare(1).peek(at);
            rig.spare(0).poke(at, &bytes);
        }
        let mut engine = rig.open();
        assert_whole(&mut rig, &mut engine);
    }
}

#[test]
fn a_page_of_which_no_copy_is_left_is_never_passed_over_silently() {
    let mut rig = closed_set();
    let engine = rig.open_read_only(false, &[true, true]).unwrap();
    for (spare, copy) in (0..3).flat_map(|copy| [(0, copy), (1, copy)]) {
        destroy_page(&mut rig, &engine, spare, copy, 0);
    }
    let lost = Some(OpenError::PageLost { page: 0, count: 1 });
    rig.log.clear();
    assert_eq!(rig.open_writable(&[true, true]).err(), lost);
    assert_eq!(rig.open_read_only(false, &[true, true]).err(), lost);
    let mut engine = rig.open_read_only(true, &[true, true]).unwrap();
    assert_eq!(engine.set.state(), SetState::ReadOnly);
    assert_eq!(engine.set.gauges.mapped.value(), 0);
    assert!(rig.holds(&mut engine, 4000, 8, 1));
    let writes = |effect: &Effect| matches!(effect, Effect::Write { .. } | Effect::Flush { .. });
    assert_eq!(rig.count(writes), 0, "nothing has been changed");
}

#[test]
fn a_set_with_a_spare_missing_opens_read_only_and_what_was_there_reads_lost() {
    let mut rig = Rig::new(&Shape { spares: &[9_000, 14_000], ..Shape::default() });
    let mut engine = rig.open();
    rig.main().fail(0, 4000, On::Both);
    let on_first = u64::from(engine.set.spares()[0].slots);
    for block in 0..on_first + 5 {
        rig.write(&mut engine, block * 8, 8, 2).unwrap();
    }
    rig.close(engine);
    for (missing, present) in [(1usize, [true, false]), (0, [false, true])] {
        assert_eq!(rig.open_writable(&present).err(), Some(OpenError::SpareMissing(missing)));
        rig.log.clear();
        let mut engine = rig.open_read_only(false, &present).unwrap();
        assert_eq!(engine.set.spares()[missing].state(), SpareState::Missing);
        for block in [0, on_first - 1, on_first, on_first + 4] {
            let there = (block < on_first) == (missing == 1);
            let expected = if there { Ok(rig::patterns(block * 8, 8, 2)) } else { Err(LOST) };
            assert_eq!(
                rig.read(&mut engine, block * 8, 8),
                expected,
                "block {block}, spare {missing} missing"
            );
        }
        assert_eq!(rig.write(&mut engine, 0, 8, 3).is_ok(), missing == 1);
        rig.close(engine);
        assert_eq!(rig.count(|effect| matches!(effect, Effect::Write { .. } | Effect::Flush { .. })), 0);
        let mut engine = rig.open();
        rig.write(&mut engine, 0, 8, 2).unwrap();
        rig.close(engine);
    }
}

#[test]
fn a_read_only_set_refuses_what_would_change_it_and_reports_bad_sectors_all_the_same() {
    let mut rig = closed_set();
    let mut engine = rig.open_read_only(false, &[true, true]).unwrap();
    rig.main().fail(4000, 2, On::Both);
    assert_eq!(rig.read(&mut engine, 4000, 8), Err(LOST));
    assert!(rig.holds(&mut engine, 4002, 6, 1));
    assert_eq!(engine.set.resolve(SectorRange::new(Sector(4000), 1)).target, Target::Main);
    assert_eq!(rig.write(&mut engine, 4000, 1, 2), Err(JobError::ReadOnly));
}

#[test]
fn verify_page_repairs_what_rotted_since_the_set_was_opened() {
    let mut rig = closed_set();
    let mut engine = rig.open();
    destroy_page(&mut rig, &engine, 0, 1, 0);
    destroy_page(&mut rig, &engine, 1, 2, 0);
    let verdict = rig.run(async |port| engine.recovery.verify_page(port, 0).await);
    assert_eq!((verdict.good, verdict.repaired, verdict.bad), (4, 2, 0));
    let verdict = rig.run(async |port| engine.recovery.verify_page(port, 0).await);
    assert_eq!((verdict.good, verdict.repaired, verdict.bad), (6, 0, 0));
    let pages = engine.recovery.superblock().pages();
    let none = rig.run(async |port| engine.recovery.verify_page(port, pages).await);
    assert_eq!((none.good, none.repaired, none.bad), (0, 0, 0));
}

#[test]
fn verify_page_tells_of_a_copy_that_can_be_neither_read_nor_written() {
    let mut rig = closed_set();
    let mut engine = rig.open();
    let start = engine.set.spares()[0].layout.page_address(1, 0).0;
    rig.spare(0).fail(start, 8, On::Both);
    for _ in 0..2 {
        let verdict = rig.run(async |port| engine.recovery.verify_page(port, 0).await);
        assert_eq!((verdict.good, verdict.repaired, verdict.bad), (5, 0, 1));
    }
    rig.spare(0).faults.clear();
    let verdict = rig.run(async |port| engine.recovery.verify_page(port, 0).await);
    assert_eq!((verdict.good, verdict.bad), (6, 0));
}

#[test]
fn the_clean_mark_tells_whether_a_set_was_closed() {
    let mut rig = Rig::new(&Shape::default());
    assert!(rig.newest_superblock(0).unwrap().clean);
    let engine = rig.open();
    rig.cut_power(|_| false);
    assert!(!rig.newest_superblock(0).unwrap().clean);
    drop(engine);
    let engine = rig.open();
    rig.close(engine);
    let closed = rig.newest_superblock(0).unwrap();
    assert!(closed.clean && closed.generation > 3);
}

#[test]
fn a_close_records_what_is_on_the_set_and_one_that_does_not_look_forgets_it() {
    let mut rig = closed_set();
    let recorded = |rig: &mut Rig| rig.newest_superblock(1).unwrap().main.filesystem_uuid.to_string();
    for (told, expected) in [("a UUID", "a UUID"), ("a\nb", ""), ("another", "another")] {
        let mut engine = rig.open();
        rig.run(async |port| engine.recovery.close_knowing(port, told).await).unwrap();
        assert_eq!(recorded(&mut rig), expected);
    }
    let engine = rig.open();
    assert_eq!(recorded(&mut rig), "another", "while the set is open it is the last that was known");
    rig.close(engine);
    assert_eq!(recorded(&mut rig), "");
}

#[test]
fn a_disk_without_a_superblock_and_one_of_a_newer_version_are_told_apart() {
    let mut rig = closed_set();
    rig.main().faults.clear();
    let scan = rig.run(async |port| read_superblocks(port, Device::Main).await);
    assert!(scan.newest.is_none());
    let magic = remap_core::format::superblock::SuperblockError::Magic;
    assert_eq!(scan.refusal(), Some(CopyState::Invalid(magic)));
    rig.spare(0).fail(0, 8, On::Reads);
    let scan = rig.run(async |port| read_superblocks(port, Device::Spare(0)).await);
    assert_eq!(scan.copies[0], CopyState::Unreadable(DiskError::Medium));
    assert_eq!((scan.damaged(), scan.refusal()), (1, None));
}

#[test]
fn a_main_device_that_answers_nowhere_at_opening_is_failing_and_what_is_moved_still_reads() {
    let mut rig = closed_set();
    rig.main().dead = Some(DiskError::Offline);
    let mut engine = rig.open();
    assert_eq!(engine.set.state(), SetState::Failing);
    assert_whole(&mut rig, &mut engine);
}

#[test]
fn spares_on_which_pages_cannot_be_read_in_one_go_are_read_page_by_page() {
    let mut rig = closed_set();
    let engine = rig.open_read_only(false, &[true, true]).unwrap();
    for spare in 0..2 {
        let layout = engine.set.spares()[spare].layout;
        for (copy, page) in [(0, 0), (1, 1), (2, 2)] {
            rig.spare(spare).fail(layout.page_address(copy, page).0, 1, On::Reads);
        }
    }
    let mut engine = rig.open();
    assert_whole(&mut rig, &mut engine);
}

#[test]
fn memory_or_blocks_that_do_not_fit_are_refused() {
    let mut rig = Rig::new(&Shape { logical_bytes: 4096, main_sectors: 20_480, ..Shape::default() });
    let engine = rig.open();
    rig.close(engine);
    let small = remap_core::BlockSize::from_sectors(1).unwrap();
    let mut rig = Rig::new(&Shape { block_size: small, spares: &[20_000], ..Shape::default() });
    rig.assume_logical_bytes(4096);
    assert_eq!(rig.open_writable(&[true]).err(), Some(OpenError::BlockTooSmall));
}
