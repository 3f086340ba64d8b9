use super::*;

const ALL: [Errno; 8] = [
    Errno::NotPermitted,
    Errno::Io,
    Errno::NoMemory,
    Errno::Invalid,
    Errno::NoSpace,
    Errno::Overflow,
    Errno::NotSupported,
    Errno::Shutdown,
];

#[test]
fn numbers_of_the_wire_are_those_of_the_specification() {
    assert_eq!(ALL.map(Errno::code), [1, 5, 12, 22, 28, 75, 95, 108]);
    for errno in ALL {
        assert_eq!(Errno::from_code(errno.code()), Some(errno));
    }
    assert_eq!(Errno::from_code(0), None);
    assert_eq!(Errno::from_code(2), None);
}

#[test]
fn a_system_error_without_counterpart_becomes_an_io_error() {
    assert_eq!(Errno::from_linux(61), Errno::Io); // ENODATA, a medium error
    assert_eq!(Errno::from_linux(0), Errno::Io);
    assert_eq!(Errno::from_linux(-5), Errno::Io);
}

#[test]
fn system_errors_with_a_counterpart_keep_their_meaning() {
    for errno in ALL {
        assert_eq!(Errno::from_linux(i32::try_from(errno.code()).unwrap()), errno);
    }
    assert_eq!(Errno::from_linux(30), Errno::NotPermitted); // EROFS
    assert_eq!(Errno::from_linux(13), Errno::NotPermitted); // EACCES
    assert_eq!(Errno::from_linux(27), Errno::NoSpace); // EFBIG
    assert_eq!(Errno::from_linux(122), Errno::NoSpace); // EDQUOT
}

#[test]
fn disk_errors_tell_a_full_disk_from_a_failed_one() {
    assert_eq!(Errno::from(DiskError::Medium), Errno::Io);
    assert_eq!(Errno::from(DiskError::Offline), Errno::Io);
    assert_eq!(Errno::from(DiskError::NoSpace), Errno::NoSpace);
    assert_eq!(Errno::from(DiskError::Unsupported), Errno::Invalid);
}
