//! Error numbers of the kernel as disk errors.
//!
//! The one place where they are told apart, for system calls and for completions of a ring alike. Follows
//! the table `blk_errors` in the kernel's `block/blk-core.c`, which turns a block status into the number seen here.

use remap_core::DiskError;
use rustix::io::Errno;

/// What a failed read, write, flush or discard tells of the disk.
///
/// A number that says that the *request* was wrong, or that memory was short, must not be taken for a bad
/// sector: such become [`DiskError::Unsupported`] and [`DiskError::Transport`].
pub fn disk_error(errno: Errno) -> DiskError {
    match errno {
        // EILSEQ: the medium answered, its protection information does not fit.
        Errno::NODATA | Errno::ILSEQ => DiskError::Medium,
        // ETIME: the disk gave up at a duration limit.
        Errno::TIMEDOUT | Errno::TIME => DiskError::Timeout,
        Errno::NODEV | Errno::NXIO | Errno::NOMEDIUM | Errno::SHUTDOWN => DiskError::Offline,
        Errno::NOLINK | Errno::NOMEM | Errno::AGAIN | Errno::BUSY => DiskError::Transport,
        Errno::NOSPC | Errno::DQUOT => DiskError::NoSpace,
        Errno::BADE => DiskError::Reservation,
        Errno::OPNOTSUPP
        | Errno::INVAL
        | Errno::NOSYS
        | Errno::NOTTY
        | Errno::ROFS
        | Errno::PERM
        | Errno::ACCESS
        | Errno::BADF
        | Errno::FAULT
        | Errno::FBIG
        | Errno::TXTBSY => DiskError::Unsupported,
        _ => DiskError::Io,
    }
}

/// As [`disk_error`], from a positive error number (a ring's completion holds it negated). A number that
/// is none is [`DiskError::Io`].
pub fn disk_error_of_raw(errno: i32) -> DiskError {
    match errno {
        1..=4095 => disk_error(Errno::from_raw_os_error(errno)),
        _ => DiskError::Io,
    }
}

#[cfg(test)]
mod tests;
