//! Making sets and changing their spares: what is refused, and what a crash leaves.

use remap_core::{BlockSize, Sector};

use super::identity;
use super::{
    ChangeError, CreateError, CreateOptions, DeviceOptions, Finding, add_spare, create, remove_spare, scan,
};
use crate::device::{OpenError, RemapDevice};
use crate::disk::{Disk, DiskFacts, MemoryDisk};
use crate::testbed::{Bed, Random, TestDisk, boxed};

mod files;

fn refusal(bed: &Bed, options: &CreateOptions) -> CreateError {
    let writes = |bed: &Bed| bed.spares.iter().map(|spare| spare.faulty.counts().writes).sum::<u64>();
    let before = writes(bed);
    let error = create(&bed.members(), options).unwrap_err();
    assert_eq!(writes(bed), before, "nothing is written");
    error
}

fn plain_refusal(bed: &Bed) -> CreateError {
    refusal(bed, &CreateOptions::default())
}

#[test]
fn a_set_is_what_was_asked_for() {
    let bed = Bed::blank(4096, 2);
    let options = CreateOptions { name: "bulk".into(), copies: 2, ..CreateOptions::default() };
    let superblock = create(&bed.members(), &options).unwrap();
    assert_eq!((superblock.name.as_str(), superblock.copies), ("bulk", 2));
    let found = scan(&*bed.spares[1]);
    assert_eq!(found.damaged(), 0);
    let found = found.newest.unwrap();
    assert_eq!((found.set, found.member), (superblock.set, 1));
    assert_eq!(bed.open().name(), "bulk");
}

#[test]
fn the_main_device_as_its_own_spare_and_a_spare_given_twice_are_refused() {
    let mut bed = Bed::blank(65536, 1);
    bed.spares.push(bed.main.clone());
    assert!(matches!(plain_refusal(&bed), CreateError::SameDisk { .. }));
    bed.spares = vec![bed.spares[0].clone(), bed.spares[0].clone()];
    assert!(matches!(plain_refusal(&bed), CreateError::SameDisk { .. }));
}

#[test]
fn a_spare_of_another_set_is_refused_by_the_name_of_the_set_unless_forced() {
    let options = CreateOptions { name: "archive".into(), ..CreateOptions::default() };
    let bed = Bed::new(4096, 1, &options);
    let error = plain_refusal(&bed);
    assert!(
        matches!(&error, CreateError::NotBlank { found: Finding::Set { name, .. }, .. } if name == "archive")
    );
    assert!(error.to_string().contains("archive"), "{error}");
    create(&bed.members(), &CreateOptions { force: true, ..CreateOptions::default() }).unwrap();
    assert_eq!(bed.open().name(), "");
}

#[test]
fn a_spare_with_data_is_refused_wherever_the_metadata_would_lie() {
    let last = crate::testbed::SPARE_SECTORS - 1;
    for sector in [3, 16383, last] {
        let bed = Bed::blank(4096, 1);
        bed.spares[0].memory.corrupt(|bytes| bytes[sector as usize * 512 + 17] = 1);
        assert!(
            matches!(plain_refusal(&bed), CreateError::NotBlank { found: Finding::Data { sector: at }, .. } if at == sector)
        );
    }
}

#[test]
fn a_spare_that_cannot_be_read_is_refused_and_says_where() {
    let bed = Bed::blank(4096, 1);
    bed.spares[0].fail("bad-read 12000 1");
    let error = plain_refusal(&bed);
    assert!(matches!(error, CreateError::Unreadable { sector, .. } if (10000..=12000).contains(&sector)));
}

#[test]
fn a_spare_that_is_too_small_is_refused() {
    let mut bed = Bed::blank(4096, 0);
    bed.spares.push(TestDisk::new(MemoryDisk::new(8208), &bed.fuse));
    assert!(matches!(
        plain_refusal(&bed),
        CreateError::Plan(remap_core::plan::PlanError::SpareTooSmall { .. })
    ));
}

#[test]
fn a_member_with_larger_logical_blocks_than_the_set_is_refused() {
    let options =
        CreateOptions { block_size: BlockSize::from_sectors(1).unwrap(), ..CreateOptions::default() };
    let mut bed = Bed::blank(4096, 1);
    bed.spares[0] = TestDisk::new(MemoryDisk::new(32768).with_blocks(4096, 4096), &bed.fuse);
    assert!(matches!(refusal(&bed, &options), CreateError::BlockTooSmall { logical_bytes: 4096, .. }));
    let mut bed = Bed::blank(4096, 1);
    bed.main = TestDisk::new(MemoryDisk::new(4096).with_blocks(4096, 4096), &bed.fuse);
    assert!(matches!(refusal(&bed, &options), CreateError::BlockTooSmall { logical_bytes: 4096, .. }));
}

#[test]
fn names_that_cannot_be_stored_no_spare_and_odd_copies_are_refused() {
    let bed = Bed::blank(4096, 1);
    for name in ["x".repeat(65), "line\nbreak".into()] {
        assert!(matches!(
            refusal(&bed, &CreateOptions { name, ..CreateOptions::default() }),
            CreateError::Name(_)
        ));
    }
    let odd = CreateOptions { copies: 1, ..CreateOptions::default() };
    assert!(matches!(refusal(&bed, &odd), CreateError::Plan(_)));
    assert!(matches!(plain_refusal(&Bed::blank(4096, 0)), CreateError::Plan(_)));
}

#[test]
fn a_power_cut_at_any_write_of_a_creation_leaves_a_set_or_none() {
    let mut random = Random::new(11);
    let mut writes = 0;
    loop {
        writes += 1 + random.below(5);
        let bed = Bed::blank(4096, 2);
        bed.fuse.set(writes);
        let created = create(&bed.members(), &CreateOptions::default());
        bed.power_cut(&mut random);
        match RemapDevice::open(bed.members(), &DeviceOptions::default()) {
            Ok(device) => device.read(Sector(0), &mut [0; 4096]).unwrap(),
            Err(error) => {
                assert!(created.is_err(), "{error}");
                assert!(matches!(error, OpenError::NotASpare { .. }), "{error}");
            }
        }
        if created.is_ok() {
            return;
        }
    }
}

/// A set whose first blocks are on its spares, for as many as `blocks`.
fn with_moved_blocks(bed: &Bed, blocks: u64) {
    let device = bed.open();
    bed.main.fail("bad-write 0 2048");
    for block in 0..blocks {
        device.write(Sector(block * 8), &[block as u8 + 1; 4096], false).unwrap();
    }
    device.close().unwrap();
}

fn check_moved_blocks(bed: &Bed, blocks: u64) {
    let device = bed.open();
    for block in 0..blocks {
        let mut back = [0; 4096];
        device.read(Sector(block * 8), &mut back).unwrap();
        assert!(back == [block as u8 + 1; 4096], "block {block}");
    }
    let status = device.status();
    assert_eq!((status.slots_used, status.lost_sectors), (blocks, 0));
    let report = device.verify_metadata().unwrap();
    assert_eq!((report.repaired, report.bad), (0, 0));
    device.close().unwrap();
}

#[test]
fn a_spare_more_gives_room_and_knows_the_mappings_of_the_others_at_once() {
    let mut bed = Bed::plain(4096, 1);
    with_moved_blocks(&bed, 20);
    let new = bed.further_disk();
    let superblock = add_spare(&bed.members(), boxed(&new), false).unwrap();
    assert_eq!(superblock.members.len(), 2);
    // The old spare is gone the moment after: what was moved there must read as lost, never as of old.
    let read_only =
        DeviceOptions { read_only: true, accept_missing_spares: true, ..DeviceOptions::default() };
    let old = std::mem::replace(&mut bed.spares, vec![new.clone()]);
    let device = RemapDevice::open(bed.members(), &read_only).unwrap();
    for block in 0..20 {
        assert!(device.read(Sector(block * 8), &mut [0; 512]).is_err());
    }
    device.read(Sector(160), &mut [0; 512]).unwrap();
    drop(device);
    bed.spares = vec![old[0].clone(), new];
    check_moved_blocks(&bed, 20);
    let status = bed.open().status();
    assert!(status.spares[1].slots_total > 1000);
}

#[test]
fn a_spare_less_is_emptied_first_and_is_none_afterwards() {
    let mut bed = Bed::plain(4096, 3);
    with_moved_blocks(&bed, 20);
    let next = remove_spare(&bed.members(), 0).unwrap();
    assert_eq!(next.members.len(), 2);
    let removed = bed.spares.remove(0);
    assert!(scan(&*removed).newest.is_none());
    check_moved_blocks(&bed, 20);
    add_spare(&bed.members(), boxed(&removed), true).unwrap();
    bed.spares.push(removed);
    check_moved_blocks(&bed, 20);
}

#[test]
fn a_removed_spare_that_had_failed_slots_leaves_a_set_that_opens() {
    let mut bed = Bed::plain(4096, 2);
    let superblock = scan(&*bed.spares[0]).newest.unwrap();
    let first = superblock.layout_of(&superblock.members[0]).unwrap().slot_address(0);
    bed.spares[0].fail(&format!("bad-write {first} 16"));
    with_moved_blocks(&bed, 3);
    assert_eq!(bed.open().status().slots_retired, 2);
    remove_spare(&bed.members(), 0).unwrap();
    bed.spares.remove(0);
    check_moved_blocks(&bed, 3);
    assert_eq!(bed.open().status().slots_retired, 0);
}

#[test]
fn the_last_spare_and_one_that_cannot_be_emptied_stay() {
    let bed = Bed::plain(4096, 1);
    assert!(matches!(remove_spare(&bed.members(), 0), Err(ChangeError::Plan(_))));
    let bed = Bed::plain(4096, 2);
    with_moved_blocks(&bed, 5);
    bed.spares[1].fail("bad-write 8400 24000");
    let error = remove_spare(&bed.members(), 0).unwrap_err();
    assert!(matches!(error, ChangeError::NotEmptied { blocks: 5, .. }), "{error}");
    bed.spares[1].fail("");
    let device = bed.open();
    assert_eq!(device.superblock().members.len(), 2);
}

#[test]
fn a_spare_that_is_not_blank_or_a_member_already_is_not_added() {
    let bed = Bed::plain(4096, 1);
    let disk = bed.further_disk();
    disk.memory.corrupt(|bytes| bytes[1080..1082].copy_from_slice(b"\x53\xef"));
    let error = add_spare(&bed.members(), boxed(&disk), false).unwrap_err();
    assert!(error.to_string().contains("ext4"), "{error}");
    let error = add_spare(&bed.members(), boxed(&bed.spares[0]), true).unwrap_err();
    assert!(matches!(error, ChangeError::Spare(CreateError::SameDisk { .. })), "{error}");
    let error = add_spare(&bed.members(), boxed(&bed.main), true).unwrap_err();
    assert!(matches!(error, ChangeError::Spare(CreateError::SameDisk { .. })), "{error}");
}

#[test]
fn a_spare_with_larger_blocks_than_all_members_is_not_added() {
    let bed = Bed::plain(4096, 1);
    let disk = TestDisk::new(MemoryDisk::new(32768).with_blocks(4096, 4096), &bed.fuse);
    let error = add_spare(&bed.members(), boxed(&disk), false).unwrap_err();
    assert!(matches!(error, ChangeError::LargerBlocks { logical_bytes: 4096, .. }), "{error}");
}

#[test]
fn a_power_cut_at_any_write_of_an_addition_leaves_the_old_set_or_the_new_one() {
    let mut random = Random::new(12);
    let mut writes = 0;
    loop {
        writes += 1 + random.below(5);
        let mut bed = Bed::plain(4096, 1);
        with_moved_blocks(&bed, 5);
        let new = bed.further_disk();
        bed.fuse.set(writes);
        let added = add_spare(&bed.members(), boxed(&new), false);
        bed.spares.push(new);
        bed.power_cut(&mut random);
        if scan(&*bed.spares[1]).newest.is_none() {
            assert!(added.is_err());
            bed.spares.pop();
        }
        check_moved_blocks(&bed, 5);
        if added.is_ok() {
            return;
        }
    }
}

#[test]
fn a_power_cut_at_any_write_of_a_removal_leaves_the_old_set_or_the_new_one() {
    let mut random = Random::new(13);
    let mut writes = 0;
    loop {
        writes += 1 + random.below(5);
        let mut bed = Bed::plain(4096, 3);
        with_moved_blocks(&bed, 5);
        bed.fuse.set(writes);
        let removed = remove_spare(&bed.members(), 0);
        bed.power_cut(&mut random);
        let staying = scan(&*bed.spares[1]).newest.into_iter().chain(scan(&*bed.spares[2]).newest);
        if staying.map(|superblock| superblock.members.len()).min() == Some(2) {
            bed.spares.remove(0);
        }
        check_moved_blocks(&bed, 5);
        if removed.is_ok() {
            return;
        }
    }
}

#[test]
fn a_main_device_with_another_serial_number_is_told_apart() {
    let bed = Bed::plain(4096, 1);
    let mut superblock = scan(&*bed.spares[0]).newest.unwrap();
    superblock.main.serial = "Z1".try_into().unwrap();
    let mut facts = bed.main.facts().clone();
    assert_eq!(super::main_difference(&facts, &superblock), None);
    facts.serial = Some("Z2".into());
    let difference = super::main_difference(&facts, &superblock).unwrap();
    assert!(difference.contains("Z1") && difference.contains("Z2"));
    facts.serial = Some("Z1".into());
    assert_eq!(super::main_difference(&facts, &superblock), None);
    facts.partition_uuid = Some("b15e1b11-01".into());
    assert_eq!(super::main_difference(&facts, &superblock), None, "none was known");
    superblock.main.partition_uuid = "b15e1b11-02".try_into().unwrap();
    let difference = super::main_difference(&facts, &superblock).unwrap();
    assert!(difference.contains("partition UUID is b15e1b11-01"), "{difference}");
}

#[test]
fn what_is_known_of_a_main_device_grows_and_is_replaced_with_the_device() {
    let mut known = identity::of(&DiskFacts::plain(4096), None);
    known.filesystem_uuid = "a filesystem".try_into().unwrap();
    let facts = |serial: Option<&str>, uuid: Option<&str>| DiskFacts {
        serial: serial.map(str::to_owned),
        partition_uuid: uuid.map(str::to_owned),
        ..DiskFacts::plain(9999)
    };
    let path = Some(std::path::Path::new("/dev/sdx"));
    let learned = identity::renewed(&known, &facts(Some("Z1"), Some("P1")), path, false);
    assert_eq!((learned.sectors, learned.path.as_str()), (4096, "/dev/sdx"));
    assert_eq!(identity::renewed(&learned, &facts(None, None), None, false), learned);
    let other = identity::renewed(&learned, &facts(Some("Z2"), None), None, true);
    assert_eq!((other.serial.as_str(), other.partition_uuid.as_str()), ("Z2", ""));
    assert_eq!(other.filesystem_uuid.as_str(), "a filesystem");
}
