//! What the first version wrote is opened by every later one.

mod rig;

use remap_core::record::{Masks, Record};
use remap_core::recovery::job::JobKind;
use remap_core::{BlockIndex, BlockSize, SlotIndex};
use rig::golden::{MAIN_SECTORS, SPARE_SECTORS, from_file};
use rig::{Disk, LOST, Rig, pattern};

fn golden() -> Rig {
    let file =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/spare-v1.sectors")).unwrap();
    let main = Disk::filled(MAIN_SECTORS, |sector| pattern(sector, 1));
    Rig::over(vec![main, from_file(&file, SPARE_SECTORS)])
}

#[test]
fn the_superblock_of_version_1_tells_what_it_told() {
    let superblock = golden().newest_superblock(0).unwrap();
    assert_eq!(superblock.set.as_u128(), 0x5e7);
    assert_eq!(superblock.name.as_str(), "rig");
    assert_eq!(superblock.main.sectors, MAIN_SECTORS);
    assert_eq!(superblock.block_size, BlockSize::DEFAULT);
    assert_eq!((superblock.copies, superblock.clean, superblock.lost_reads_zero), (3, true, false));
    assert_eq!((superblock.creator, superblock.created_unix_s), (0x0001_0000, 1_700_000_000));
    let member = superblock.members[0];
    assert_eq!((superblock.members.len(), member.uuid.as_u128()), (1, 1));
    assert_eq!(
        (member.sectors, member.first_page, member.slots, member.page_capacity),
        (SPARE_SECTORS, 0, 460, 4)
    );
}

#[test]
fn every_mapping_of_version_1_is_what_it_was() {
    let mut rig = golden();
    let mut engine = rig.open();
    let used = |block, moved, lost, stale, version| Record::Used {
        block: BlockIndex(block),
        masks: Masks { moved, lost, stale },
        version,
    };
    let expected = [
        Record::Retired,
        used(101, 0b0001_1000, 0, 0, 0),
        used(2560, 0b100, 0, 0, 0),
        used(200, 0b1101_1111, 0b0010_0000, 0, 0),
        used(100, 0b0011_1111, 0b1100_0000, 0b1100_0000, 1),
    ];
    let records = (0..engine.set.table().slots()).map(|slot| engine.set.table().record(SlotIndex(slot)));
    assert!(records.eq(expected.into_iter().chain(std::iter::repeat_n(Record::Free, 499))));
    for (start, sectors, stamp) in [
        (800, 6, 2),
        (808, 3, 1),
        (811, 2, 3),
        (813, 787, 1),
        (1600, 5, 1),
        (1606, 18_876, 1),
        (20_482, 1, 4),
    ] {
        assert!(rig.holds(&mut engine, start, sectors, stamp), "{start}+{sectors}");
    }
    for lost in [806, 807, 1605] {
        assert_eq!(rig.read(&mut engine, lost, 1), Err(LOST), "{lost}");
    }
    assert_eq!(engine.set.counters.snapshot().metadata_errors, 0);
}

#[test]
fn a_set_of_version_1_goes_on_where_it_was() {
    let mut rig = golden();
    let mut engine = rig.open();
    // The main device is well again: what was lost there comes back, what a slot lost does not.
    assert_eq!(rig.order(&mut engine, JobKind::Retry { attempts: 1 }, 1600, 8), Ok(()));
    assert_eq!(rig.order(&mut engine, JobKind::Retry { attempts: 1 }, 800, 8), Err(LOST));
    assert_eq!(rig.write(&mut engine, 806, 2, 5), Ok(()));
    rig.close(engine);
    let mut engine = rig.open();
    assert!(rig.holds(&mut engine, 806, 2, 5) && rig.holds(&mut engine, 1600, 8, 1));
}
