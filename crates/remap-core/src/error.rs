//! What a disk can answer instead of data.

use core::fmt;

/// Why a disk operation failed.
///
/// Only [`DiskError::Medium`] is about a place on the disk. The distinction follows the kernel's block
/// status codes (`BLK_STS_*` in `include/linux/blk_types.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskError {
    /// The place cannot be read or written (`BLK_STS_MEDIUM`, `ENODATA`).
    Medium,
    /// The operation failed for a reason that is not told (`BLK_STS_IOERR`, `EIO`).
    Io,
    /// No answer in time (`BLK_STS_TIMEOUT`, `ETIMEDOUT`).
    Timeout,
    /// The disk is not there (`BLK_STS_OFFLINE`, `ENODEV`, `ENXIO`).
    Offline,
    /// The path to the disk failed (`BLK_STS_TRANSPORT`, `ENOLINK`).
    Transport,
    /// A thin or sparse disk has no room (`BLK_STS_NOSPC`, `ENOSPC`).
    NoSpace,
    /// Another host holds a reservation (`BLK_STS_RESV_CONFLICT`, `EBADE`).
    Reservation,
    /// The disk does not do this (`BLK_STS_NOTSUPP`, `EOPNOTSUPP`).
    Unsupported,
}

impl DiskError {
    /// Whether this may be a bad sector: [`Medium`](Self::Medium) is one, an error of unknown cause
    /// counts as one once the disk is shown to answer elsewhere.
    pub fn may_be_medium(self) -> bool {
        matches!(self, Self::Medium | Self::Io | Self::Timeout)
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Medium => "medium error",
            Self::Io => "I/O error",
            Self::Timeout => "time-out",
            Self::Offline => "device offline",
            Self::Transport => "transport error",
            Self::NoSpace => "no space on device",
            Self::Reservation => "reservation conflict",
            Self::Unsupported => "operation not supported",
        })
    }
}

impl core::error::Error for DiskError {}
