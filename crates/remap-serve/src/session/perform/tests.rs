//! What clients are told of errors.

use remap_core::DiskError;

use super::*;

#[test]
fn errors_of_the_device_become_errors_of_the_wire() {
    let told = [
        (RequestError::Disk(DiskError::Medium), Errno::Io),
        (RequestError::Disk(DiskError::Offline), Errno::Io),
        (RequestError::Disk(DiskError::NoSpace), Errno::NoSpace),
        (RequestError::NoRoom, Errno::NoSpace),
        (RequestError::ReadOnly, Errno::NotPermitted),
        (RequestError::Closed, Errno::Shutdown),
        (RequestError::OutOfRange, Errno::Invalid),
        (RequestError::Misaligned, Errno::Invalid),
        (RequestError::Metadata, Errno::Io),
        (RequestError::Halted, Errno::Io),
    ];
    for (error, errno) in told {
        assert_eq!(errno_of(error), errno, "{error:?}");
    }
}
