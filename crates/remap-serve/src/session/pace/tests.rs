//! Facts about who carries requests out.

use super::*;

#[test]
fn nothing_is_taken_for_fast_before_it_was_measured() {
    let pace = Pace::new();
    assert!(!pace.is_fast());
    for _ in 0..20 {
        pace.note(3000);
    }
    assert!(pace.is_fast());
}

#[test]
fn a_slow_answer_is_remembered_for_some_requests() {
    let pace = Pace::new();
    (0..50).for_each(|_| pace.note(3000));
    pace.note(SLOW_NS + 1);
    for _ in 0..CAUTION {
        assert!(!pace.is_fast());
        pace.note(3000);
    }
    assert!(pace.is_fast(), "and then forgotten");
}

#[test]
fn a_disk_that_takes_its_time_is_left_to_the_workers() {
    let pace = Pace::new();
    (0..50).for_each(|_| pace.note(80_000));
    assert!(!pace.is_fast());
}
