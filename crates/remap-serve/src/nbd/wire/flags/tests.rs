use super::*;

#[test]
fn transmission_flags_stand_at_the_bits_of_the_specification() {
    assert_eq!(TransmissionFlags::READ_ONLY.bits(), 0x002);
    assert_eq!(TransmissionFlags::WRITE_ZEROES.bits(), 0x040);
    assert_eq!(TransmissionFlags::MULTI_CONN.bits(), 0x100);
    assert_eq!(TransmissionFlags::CACHE.bits(), 0x400);
    assert_eq!(TransmissionFlags::FAST_ZERO.bits(), 0x800);
}

#[test]
fn a_set_contains_another_only_with_all_its_bits() {
    let both = CommandFlags::FUA | CommandFlags::NO_HOLE;
    assert!(both.contains(CommandFlags::FUA));
    assert!(!CommandFlags::FUA.contains(both));
    assert!(both.contains(CommandFlags::NONE));
    assert_eq!(both.without(CommandFlags::FUA), CommandFlags::NO_HOLE);
    assert!(both.without(both).is_empty());
}
