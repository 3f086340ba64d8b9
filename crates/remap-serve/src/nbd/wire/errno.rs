//! The error numbers that may travel in a reply.
//! It owns the mapping from what failed to what the client is told; the wire's numbers are the protocol's own
//! and stay what they are on any system.

use remap_core::DiskError;

/// An error a reply can carry (specification, "Error values").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Errno {
    /// `NBD_EPERM`: the export is read-only.
    NotPermitted = 1,
    /// `NBD_EIO`: the disk failed.
    Io = 5,
    /// `NBD_ENOMEM`: no memory for the request.
    NoMemory = 12,
    /// `NBD_EINVAL`: the request makes no sense.
    Invalid = 22,
    /// `NBD_ENOSPC`: a write past the end, or no room on the disk.
    NoSpace = 28,
    /// `NBD_EOVERFLOW`: more than one reply can carry.
    Overflow = 75,
    /// `NBD_ENOTSUP`: zeroes cannot be written faster than data.
    NotSupported = 95,
    /// `NBD_ESHUTDOWN`: the server is stopping.
    Shutdown = 108,
}

impl Errno {
    /// The number on the wire.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The error behind a number of the wire; `None` for numbers the specification does not name.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::NotPermitted,
            5 => Self::Io,
            12 => Self::NoMemory,
            22 => Self::Invalid,
            28 => Self::NoSpace,
            75 => Self::Overflow,
            95 => Self::NotSupported,
            108 => Self::Shutdown,
            _ => return None,
        })
    }

    /// What a Linux error number (`asm-generic/errno.h`) becomes on the wire; [`Errno::Io`] for all that have
    /// no counterpart there.
    pub const fn from_linux(raw: i32) -> Self {
        const EACCES: i32 = 13;
        const EFBIG: i32 = 27;
        const EROFS: i32 = 30;
        const EDQUOT: i32 = 122;
        match raw {
            1 | EACCES | EROFS => Self::NotPermitted,
            12 => Self::NoMemory,
            22 => Self::Invalid,
            28 | EFBIG | EDQUOT => Self::NoSpace,
            75 => Self::Overflow,
            95 => Self::NotSupported,
            108 => Self::Shutdown,
            _ => Self::Io,
        }
    }
}

impl From<DiskError> for Errno {
    /// A disk that does not do an operation answers [`Errno::Invalid`]: the specification keeps
    /// [`Errno::NotSupported`] for fast zeroes.
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::NoSpace => Self::NoSpace,
            DiskError::Unsupported => Self::Invalid,
            DiskError::Medium
            | DiskError::Io
            | DiskError::Timeout
            | DiskError::Offline
            | DiskError::Transport
            | DiskError::Reservation => Self::Io,
        }
    }
}

#[cfg(test)]
mod tests;
