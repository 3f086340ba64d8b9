//! Why a request is refused, in words and as an error of the wire.
//! It owns the choice of error number for each reason.

use crate::nbd::wire::errno::Errno;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum Reason {
    /// A command code the specification does not name.
    UnknownCommand,
    /// A command this export does not offer, or block status without a context.
    NotOffered,
    /// A flag that is unknown, not offered, or not for this command.
    UnknownFlags,
    /// A flush with an offset or a length.
    FlushWithRange,
    /// A change to a read-only export.
    ReadOnly,
    /// No bytes at all.
    Empty,
    /// Offset or length not in whole minimum blocks.
    Misaligned,
    /// Past the end.
    PastEnd,
    /// Past the end, with data or zeroes to write.
    WritePastEnd,
    /// More data than the maximum block.
    TooLong,
    /// More data than the maximum block, asked for where the reply can say so.
    ReadTooLong,
}

impl Reason {
    /// The error number the specification gives for it ("Error values", "Size constraints").
    pub const fn errno(self) -> Errno {
        match self {
            Self::ReadOnly => Errno::NotPermitted,
            Self::WritePastEnd => Errno::NoSpace,
            Self::ReadTooLong => Errno::Overflow,
            Self::UnknownCommand
            | Self::NotOffered
            | Self::UnknownFlags
            | Self::FlushWithRange
            | Self::Empty
            | Self::Misaligned
            | Self::PastEnd
            | Self::TooLong => Errno::Invalid,
        }
    }

    /// What the client's user is told.
    pub const fn message(self) -> &'static str {
        match self {
            Self::UnknownCommand => "unknown command",
            Self::NotOffered => "the export does not offer this command",
            Self::UnknownFlags => "a flag is unknown, or does not apply to this command",
            Self::FlushWithRange => "a flush has neither offset nor length",
            Self::ReadOnly => "the export is read-only",
            Self::Empty => "the length is zero",
            Self::Misaligned => "offset or length is not a multiple of the minimum block size",
            Self::PastEnd => "the range ends past the end of the export",
            Self::WritePastEnd => "the write ends past the end of the export",
            Self::TooLong => "the length is over the maximum block size",
            Self::ReadTooLong => "the read is longer than the maximum block size",
        }
    }
}
