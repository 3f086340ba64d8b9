use super::*;
use crate::layout::PAGE_BYTES;
use crate::tests::{new_set, spares};
use std::boxed::Box;
use std::string::ToString;
use std::vec::Vec;

/// The first slots' pages of all members, which must not share any.
fn assert_sound(superblock: &Superblock) {
    let mut bytes = Box::new([0; PAGE_BYTES]);
    for member in 0..superblock.members.len() as u32 {
        let mut own = superblock.clone();
        own.member = member;
        own.encode(&mut bytes);
        assert_eq!(Superblock::parse(&*bytes).as_ref(), Ok(&own));
    }
    assert!(superblock.records() <= MAX_SLOTS);
    let mut ranges: Vec<_> =
        superblock.members.iter().map(|m| (u64::from(m.first_page), m.end_page())).collect();
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{ranges:?}");
    for page in (0..superblock.pages()).step_by(1 + superblock.pages() as usize / 1000) {
        let owners = superblock
            .members
            .iter()
            .filter(|m| (u64::from(m.first_page)..m.end_page()).contains(&page.into()));
        assert!(owners.count() <= 1);
    }
}

#[test]
fn a_plan_is_a_superblock_that_parses() {
    let spares = spares(&[20_000, 100_000, 30_000]);
    let superblock = Superblock::plan(&new_set(1 << 20, &spares)).unwrap();
    assert_sound(&superblock);
    assert_eq!((superblock.generation, superblock.member, superblock.clean), (1, 0, true));
    assert!(
        superblock
            .members
            .iter()
            .all(|member| member.slots > 0 && member.page_capacity >= superblock.pages())
    );
}

#[test]
fn a_main_device_that_is_empty_or_too_large_is_refused() {
    let spares = spares(&[20_000]);
    for sectors in [0, MAX_SECTORS + 1, u64::MAX] {
        assert_eq!(Superblock::plan(&new_set(sectors, &spares)), Err(PlanError::MainSize));
    }
}

#[test]
fn the_largest_main_device_has_2_to_the_63_bytes() {
    let spares = spares(&[20_000]);
    let superblock = Superblock::plan(&new_set(MAX_SECTORS, &spares)).unwrap();
    assert_eq!(superblock.main.sectors.checked_mul(512), Some(1 << 63));
    assert_sound(&superblock);
    let sizes = crate::set::MemorySizes::of(&superblock);
    assert_eq!(sizes.filter_words, (1 << 63) / (1 << 20) / 64);
}

#[test]
fn a_block_smaller_than_the_logical_block_is_refused() {
    let spares = spares(&[20_000]);
    let mut new = new_set(1000, &spares);
    new.main.logical_bytes = 8192;
    assert_eq!(Superblock::plan(&new), Err(PlanError::BlockTooSmall));
    new.block_size = BlockSize::from_sectors(16).unwrap();
    assert_sound(&Superblock::plan(&new).unwrap());
}

#[test]
fn copies_are_two_to_five() {
    let spares = spares(&[20_000]);
    for copies in [0, 1, 6, u32::MAX] {
        let new = NewSet { copies, ..new_set(1000, &spares) };
        assert_eq!(Superblock::plan(&new), Err(PlanError::Copies));
    }
    for copies in MIN_COPIES..=MAX_COPIES {
        assert_sound(&Superblock::plan(&NewSet { copies, ..new_set(1000, &spares) }).unwrap());
    }
}

#[test]
fn a_set_has_one_to_sixteen_spares() {
    assert_eq!(Superblock::plan(&new_set(1000, &[])), Err(PlanError::SpareCount));
    assert_eq!(Superblock::plan(&new_set(1000, &spares(&[20_000; 17]))), Err(PlanError::SpareCount));
    let superblock = Superblock::plan(&new_set(1000, &spares(&[20_000; 16]))).unwrap();
    assert_sound(&superblock);
    assert_eq!(superblock.plan_add(Uuid::from_u128(99), 20_000), Err(PlanError::SpareCount));
}

#[test]
fn a_spare_too_small_is_refused_with_a_size_that_does() {
    for sectors in [0, 1, HEAD_SECTORS, HEAD_SECTORS + 63] {
        let sizes = [20_000, sectors];
        let Err(PlanError::SpareTooSmall { index: 1, needed_sectors }) =
            Superblock::plan(&new_set(1000, &spares(&sizes)))
        else {
            panic!("{sectors} sectors are enough")
        };
        assert_sound(&Superblock::plan(&new_set(1000, &spares(&[20_000, needed_sectors]))).unwrap());
    }
}

#[test]
fn the_same_spare_twice_is_refused() {
    let twice = [(Uuid::from_u128(1), 20_000), (Uuid::from_u128(1), 30_000)];
    assert_eq!(Superblock::plan(&new_set(1000, &twice)), Err(PlanError::SameMember));
    let superblock = Superblock::plan(&new_set(1000, &twice[..1])).unwrap();
    assert_eq!(superblock.plan_add(Uuid::from_u128(1), 30_000), Err(PlanError::SameMember));
}

#[test]
fn slots_are_counted_up_to_2_to_the_32_and_not_beyond() {
    // 16 TiB of slots of 4 KiB are 2^32.
    let most = HEAD_SECTORS + (MAX_SLOTS / 252 - 1) * 252 * 8;
    let superblock = Superblock::plan(&new_set(1 << 40, &spares(&[most]))).unwrap();
    assert_sound(&superblock);
    assert!(superblock.records() > MAX_SLOTS / 100 * 96, "{}", superblock.records());
    for sizes in [&[most + 4096 * 8][..], &[most, 20_000], &[u64::MAX], &[u64::MAX; 16]] {
        assert_eq!(Superblock::plan(&new_set(1 << 40, &spares(sizes))), Err(PlanError::TooManySlots));
    }
}

#[test]
fn a_spare_more_never_takes_a_set_beyond_its_slots() {
    let most = HEAD_SECTORS + (MAX_SLOTS / 252 - 1) * 252 * 8;
    let superblock = Superblock::plan(&new_set(1 << 40, &spares(&[most]))).unwrap();
    match superblock.plan_add(Uuid::from_u128(99), most) {
        Ok(next) => assert_sound(&next),
        Err(error) => assert!(matches!(error, PlanError::TooManySlots | PlanError::NoRoomForPages)),
    }
}

#[test]
fn a_spare_more_uses_no_more_slots_than_the_present_ones_have_room_for() {
    let superblock = Superblock::plan(&new_set(1000, &spares(&[20_000]))).unwrap();
    let free = superblock.members[0].page_capacity - superblock.pages();
    let next = superblock.plan_add(Uuid::from_u128(99), 1 << 24).unwrap();
    assert_sound(&next);
    assert_eq!(next.members[1].slots, free * RECORDS_PER_PAGE);
    assert_eq!(next.generation, superblock.generation + 1);
    assert_eq!(next.plan_add(Uuid::from_u128(100), 1 << 24), Err(PlanError::NoRoomForPages));
}

#[test]
fn members_come_and_go_and_page_ranges_stay_apart() {
    let mut superblock = Superblock::plan(&new_set(1 << 20, &spares(&[100_000, 50_000]))).unwrap();
    let mut random = 1u64;
    let (mut added, mut removed) = (0, 0);
    for n in 0..500u128 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let count = superblock.members.len() as u64;
        let next = if (random >> 40).is_multiple_of(2) {
            superblock.plan_add(Uuid::from_u128(1000 + n), 12_000 + (random >> 33) % 60_000)
        } else {
            superblock.plan_remove(((random >> 33) % count) as usize)
        };
        let Ok(next) = next else { continue };
        assert_sound(&next);
        assert_eq!(next.generation, superblock.generation + 1);
        // Whoever stays keeps its pages: they are full of records.
        for member in &superblock.members {
            let same = next.members.iter().find(|other| other.uuid == member.uuid);
            assert!(same.is_none_or(|other| other == member));
        }
        if next.members.len() > superblock.members.len() {
            added += 1;
        } else {
            removed += 1;
        }
        superblock = next;
    }
    assert!(added > 50 && removed > 50, "{added} added, {removed} removed");
}

#[test]
fn the_last_spare_and_one_that_is_not_there_cannot_be_removed() {
    let one = Superblock::plan(&new_set(1000, &spares(&[20_000]))).unwrap();
    assert_eq!(one.plan_remove(0), Err(PlanError::SpareCount));
    assert_eq!(one.plan_remove(1), Err(PlanError::NoMember));
}

#[test]
fn what_a_superblock_cannot_hold_is_refused() {
    let spares = spares(&[20_000]);
    for name in ["a\nb", "a\0b", "\u{7f}"] {
        let mut new = new_set(1000, &spares);
        new.name = ArrayString::from(name).unwrap();
        assert_eq!(Superblock::plan(&new), Err(PlanError::Field("name")));
        let mut new = new_set(1000, &spares);
        new.main.path = ArrayString::from(name).unwrap();
        assert_eq!(Superblock::plan(&new), Err(PlanError::Field("path")));
    }
    let mut new = new_set(1000, &spares);
    new.main.logical_bytes = 0;
    assert_eq!(Superblock::plan(&new), Err(PlanError::Field("main device block")));
}

#[test]
fn every_error_says_what_it_is_about() {
    for (error, word) in [
        (PlanError::MainSize, "2^63"),
        (PlanError::BlockTooSmall, "logical block"),
        (PlanError::Copies, "2 to 5"),
        (PlanError::SpareCount, "1 to 16"),
        (
            PlanError::SpareTooSmall { index: 3, needed_sectors: 9001 },
            "spare 3 is too small: metadata and slots need at least 4501 KiB",
        ),
        (PlanError::TooManySlots, "2^32"),
        (PlanError::SameMember, "twice"),
        (PlanError::NoRoomForPages, "no room"),
        (PlanError::NoMember, "no such spare"),
        (PlanError::Field("path"), "the path cannot be recorded"),
    ] {
        assert!(error.to_string().contains(word), "{error}");
    }
}
