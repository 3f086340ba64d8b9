use super::*;
use remap_core::Sector;

fn one() -> SectorRange {
    SectorRange::new(Sector(0), 1)
}

fn sector(stamp: u64) -> Vec<u8> {
    let mut bytes = vec![0; SECTOR_BYTES];
    fill(&mut bytes, 0, stamp);
    bytes
}

fn acknowledged(model: &mut Model, stamp: u64, now: u64) {
    model.write_begins(one(), stamp, now);
    model.write_ended(one(), stamp, now + 1, true);
}

#[test]
fn an_overwritten_write_is_not_to_be_read() {
    let mut model = Model::new(1);
    acknowledged(&mut model, 2, 10);
    assert!(model.check_read(one(), &sector(2), 20, 21).is_ok());
    assert!(model.check_read(one(), &sector(FIRST_STAMP), 22, 23).is_err());
}

#[test]
fn of_concurrent_writes_any_is_right_until_one_was_read() {
    let mut model = Model::new(1);
    model.write_begins(one(), 2, 10);
    model.write_begins(one(), 3, 11);
    model.write_ended(one(), 2, 12, true);
    model.write_ended(one(), 3, 13, true);
    assert!(model.check_read(one(), &sector(2), 20, 21).is_ok());
    assert!(model.check_read(one(), &sector(3), 22, 23).is_err());
}

#[test]
fn a_flushed_write_survives_a_power_cut_and_an_unflushed_may_not() {
    let mut model = Model::new(1);
    acknowledged(&mut model, 2, 10);
    model.flushed(20);
    acknowledged(&mut model, 3, 30);
    model.power_cut(40);
    assert!(model.check_read(one(), &sector(FIRST_STAMP), 50, 51).is_err());
    assert!(model.check_read(one(), &sector(2), 52, 53).is_ok());
    assert!(model.check_read(one(), &sector(3), 54, 55).is_err(), "it has been read as 2 since the cut");
}

#[test]
fn a_flush_does_not_cover_a_write_acknowledged_after_it_began() {
    let mut model = Model::new(1);
    acknowledged(&mut model, 2, 10);
    model.flushed(10);
    model.power_cut(40);
    assert!(model.check_read(one(), &sector(FIRST_STAMP), 50, 51).is_ok());
}

#[test]
fn torn_and_displaced_sectors_are_seen() {
    let mut model = Model::new(1);
    let mut torn = sector(FIRST_STAMP);
    torn[500] ^= 1;
    assert!(model.check_read(one(), &torn, 1, 2).is_err());
    let mut displaced = vec![0; SECTOR_BYTES];
    fill(&mut displaced, 7, FIRST_STAMP);
    assert!(model.check_read(one(), &displaced, 1, 2).is_err());
}

#[test]
fn a_failure_is_allowed_until_a_later_write_was_acknowledged() {
    let mut model = Model::new(1);
    assert!(!model.failure_is_allowed(one(), 0));
    model.may_fail(one(), 5);
    assert!(model.failure_is_allowed(one(), 6));
    acknowledged(&mut model, 2, 10);
    assert!(!model.failure_is_allowed(one(), 20));
}
