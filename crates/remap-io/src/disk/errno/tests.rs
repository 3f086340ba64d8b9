//! Which number becomes which error.

use super::*;

#[test]
fn block_status_numbers_keep_their_meaning() {
    let table = [
        (5, DiskError::Io),
        (61, DiskError::Medium),
        (84, DiskError::Medium),
        (110, DiskError::Timeout),
        (62, DiskError::Timeout),
        (19, DiskError::Offline),
        (6, DiskError::Offline),
        (67, DiskError::Transport),
        (28, DiskError::NoSpace),
        (52, DiskError::Reservation),
        (95, DiskError::Unsupported),
        (22, DiskError::Unsupported),
    ];
    for (errno, expected) in table {
        assert_eq!(disk_error_of_raw(errno), expected, "errno {errno}");
    }
}

#[test]
fn no_fault_of_the_request_or_of_memory_looks_like_a_bad_sector() {
    for errno in [1, 9, 11, 12, 13, 14, 16, 22, 25, 26, 27, 30, 38] {
        assert!(!disk_error_of_raw(errno).may_be_medium(), "errno {errno}");
    }
}

#[test]
fn numbers_that_are_no_errors_are_plain_io_errors() {
    for errno in [i32::MIN, -5, 0, 4096, i32::MAX] {
        assert_eq!(disk_error_of_raw(errno), DiskError::Io);
    }
}
