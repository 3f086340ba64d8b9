use super::*;
use std::collections::HashSet;
use std::vec::Vec;

#[test]
fn a_snapshot_tells_what_was_counted_and_clearing_forgets_it() {
    let counters = IoCounters::default();
    counters.reads.add(3);
    counters.reads.add(4);
    counters.waits.add(1);
    let counts = counters.snapshot();
    assert_eq!(counts, IoCounts { reads: 7, waits: 1, ..IoCounts::default() });
    counters.clear();
    assert_eq!(counters.snapshot(), IoCounts::default());
}

#[test]
fn counts_of_several_threads_add_up() {
    let mut sum = IoCounts { reads: 1, sectors_read: 10, ..IoCounts::default() };
    sum.add(&IoCounts { reads: 2, writes: 5, ..IoCounts::default() });
    assert_eq!(sum, IoCounts { reads: 3, writes: 5, sectors_read: 10, ..IoCounts::default() });
}

#[test]
fn every_count_has_a_name_of_its_own() {
    let mut names = Vec::new();
    Counts::default().for_each(|name, value| {
        assert_eq!(value, 0);
        names.push(name);
    });
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    assert!(names.contains(&"sectors_remapped") && names.contains(&"recovery_over_10_s"));
}

#[test]
fn every_error_is_counted_once_by_its_kind() {
    let counters = Counters::default();
    for error in [
        DiskError::Medium,
        DiskError::Io,
        DiskError::Timeout,
        DiskError::Offline,
        DiskError::Transport,
        DiskError::NoSpace,
        DiskError::Reservation,
        DiskError::Unsupported,
    ] {
        counters.count_kind(error);
    }
    let counts = counters.snapshot();
    assert_eq!((counts.errors_medium, counts.errors_unknown, counts.errors_device), (1, 2, 5));
}

#[test]
fn every_batch_falls_into_one_class_of_time() {
    let counters = Counters::default();
    for took_ms in [0, 1, 2, 10, 11, 100, 101, 1000, 1001, 10_000, 10_001, 60_000] {
        counters.count_batch(took_ms);
    }
    let counts = counters.snapshot();
    assert_eq!(counts.batches, 12);
    assert_eq!(counts.recovery_ms, 82_227);
    let classes = [
        counts.recovery_to_1_ms,
        counts.recovery_to_10_ms,
        counts.recovery_to_100_ms,
        counts.recovery_to_1_s,
        counts.recovery_to_10_s,
        counts.recovery_over_10_s,
    ];
    assert_eq!(classes, [2; 6]);
}

#[test]
fn counters_of_two_threads_share_no_cache_line() {
    assert_eq!(align_of::<IoCounters>() % 128, 0);
    assert_eq!(size_of::<IoCounters>() % 128, 0);
}
