use super::*;

const WELL: Condition = Condition {
    state: SetState::Active,
    read_only_on_request: false,
    slots_total: 1000,
    slots_used: 0,
    slots_retired: 0,
    lost_sectors: 0,
    errors_last_hour: 0,
    errors_hour_before: 0,
    bad_metadata_copies: 0,
    spares_away: 0,
};

#[test]
fn a_set_that_nothing_happened_to_has_100() {
    assert_eq!(health(&WELL), 100);
}

#[test]
fn a_quarter_of_the_slots_is_the_edge_of_a_warning() {
    assert_eq!(health(&Condition { slots_used: 250, ..WELL }), WARNING_BELOW);
    assert!(health(&Condition { slots_used: 300, ..WELL }) < WARNING_BELOW);
    assert!(health(&Condition { slots_used: 800, ..WELL }) < CRITICAL_BELOW);
}

#[test]
fn a_lost_sector_is_a_warning_and_a_full_spare_critical() {
    assert!(health(&Condition { lost_sectors: 1, ..WELL }) < WARNING_BELOW);
    assert!(health(&Condition { slots_used: 1000, ..WELL }) <= 40);
}

#[test]
fn each_fault_has_its_ceiling() {
    assert_eq!(health(&Condition { state: SetState::Failing, ..WELL }), 10);
    assert_eq!(health(&Condition { state: SetState::ReadOnly, ..WELL }), 20);
    assert_eq!(health(&Condition { spares_away: 1, ..WELL }), 60);
    let asked_for = Condition { state: SetState::ReadOnly, read_only_on_request: true, ..WELL };
    assert_eq!(health(&asked_for), 100);
}

#[test]
fn every_fault_at_once_neither_overflows_nor_goes_below_zero() {
    let worst = Condition {
        state: SetState::Failing,
        read_only_on_request: false,
        slots_total: u64::MAX,
        slots_used: u64::MAX,
        slots_retired: u64::MAX,
        lost_sectors: u64::MAX,
        errors_last_hour: u64::MAX,
        errors_hour_before: 0,
        bad_metadata_copies: u64::MAX,
        spares_away: u64::MAX,
    };
    assert_eq!(health(&worst), 0);
    assert!(health(&Condition { slots_total: 0, ..WELL }) <= 40);
}

#[test]
fn health_never_rises_when_something_gets_worse() {
    for step in 0..200u64 {
        let a = Condition { slots_used: step * 5, errors_last_hour: step, ..WELL };
        let b = Condition { slots_used: step * 5 + 5, errors_last_hour: step + 1, ..WELL };
        assert!(health(&b) <= health(&a));
    }
}
