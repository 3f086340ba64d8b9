use super::*;

fn used(block: u64, moved: u16, lost: u16, stale: u16, version: u8) -> Record {
    Record::Used { block: BlockIndex(block), masks: Masks { moved, lost, stale }, version }
}

#[test]
fn every_record_is_its_two_words() {
    for record in [
        Record::Free,
        Record::Retired,
        used(0, 1, 0, 0, 0),
        used(u64::MAX - 1, 0x8000, 0x7fff, 0x0001, 255),
        used(1 << 40, 0, 0xffff, 0xffff, 128),
    ] {
        let (key, value) = record.to_words();
        assert_eq!(Record::from_words(key, value), Some(record));
    }
}

#[test]
fn zeroed_words_are_a_free_record() {
    assert_eq!(Record::from_words(0, 0), Some(Record::Free));
}

#[test]
fn words_that_spell_nothing_are_refused() {
    let (key, value) = used(5, 0b0011, 0b1100, 0b0100, 9).to_words();
    assert!(Record::from_words(key, value).is_some());
    for (key, value) in [
        (NO_BLOCK, value),
        (key, value | 0b0100),
        (key, value & !0xffff_ffff),
        (key, value | 1 << 48),
        (key, value & !(0xff << 32)),
        (key, value | 0xff << 32),
        (key, value + (1 << 32)),
        (key, 1 << 40),
        (key, (2 << 32) | 1),
        (key, (2 << 32) | (1 << 63)),
    ] {
        assert_eq!(Record::from_words(key, value), None, "{key:x} {value:x}");
    }
}

#[test]
fn states_are_told() {
    assert_eq!(Record::Free.state(), SlotState::Free);
    assert_eq!(Record::Retired.state(), SlotState::Retired);
    assert_eq!(used(1, 1, 0, 0, 0).state(), SlotState::Used);
}

#[test]
fn the_next_version_is_newer_all_the_way_round() {
    for version in 0..=u8::MAX {
        assert!(is_newer(version.wrapping_add(1), version));
        assert!(!is_newer(version, version.wrapping_add(1)));
        assert!(!is_newer(version, version));
    }
}
