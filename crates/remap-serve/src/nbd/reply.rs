//! Building replies: the bytes around the data, appended to a buffer that the caller gives and keeps.
//! It owns which form a reply takes; it may not hold data, which the caller sends behind the header.
//!
//! A buffer with room for [`MAX_FIXED_BYTES`] never grows for success, data, holes and errors without text.

mod block_status;

use super::range::ByteRange;
use super::wire::errno::Errno;
use super::wire::flags::ChunkFlags;
use super::wire::reply::{self as wire, ChunkType, HOLE_BYTES};
use super::wire::{Cookie, MAX_STRING_BYTES};
pub use block_status::{BlockStatusChunk, MAX_EXTENTS};

/// The longest of the fixed-size headers, in bytes.
pub const MAX_FIXED_BYTES: usize = HOLE_BYTES;

/// Whether more chunks of the same reply follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Yes.
    More,
    /// This is the last.
    Last,
}

impl Part {
    const fn flags(self) -> ChunkFlags {
        match self {
            Self::More => ChunkFlags::NONE,
            Self::Last => ChunkFlags::DONE,
        }
    }
}

/// The form of replies on a connection, settled in its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// One simple reply to a request.
    Simple,
    /// Reads, block status and errors by structured chunks.
    Structured,
}

impl ReplyMode {
    /// The mode agreed on.
    pub const fn new(structured_replies: bool) -> Self {
        if structured_replies { Self::Structured } else { Self::Simple }
    }

    /// Success of a request other than a read or block status: nothing follows. Simple in both modes, as the
    /// specification allows, for it is the shorter form.
    pub fn success(self, cookie: Cookie, out: &mut Vec<u8>) {
        out.extend_from_slice(&wire::simple(cookie, None));
    }

    /// Success of a read of `range`, all of it data: its bytes follow.
    ///
    /// They must be at hand: after this header there is no way to report an error but to hang up.
    pub fn read(self, cookie: Cookie, range: ByteRange, out: &mut Vec<u8>) {
        match self {
            Self::Simple => out.extend_from_slice(&wire::simple(cookie, None)),
            Self::Structured => data(cookie, range, Part::Last, out),
        }
    }

    /// Failure of a request as a whole. A simple reply drops `message`; a structured one carries at most its
    /// first 4096 bytes.
    pub fn error(self, cookie: Cookie, errno: Errno, message: &str, out: &mut Vec<u8>) {
        match self {
            Self::Simple => out.extend_from_slice(&wire::simple(cookie, Some(errno))),
            Self::Structured => error_chunk(cookie, errno, message, None, Part::Last, out),
        }
    }

    /// Failure of a request at byte `offset`, which lies within it: in a simple reply, failure as a whole.
    ///
    /// With [`ReplyMode::Structured`] it may follow [`data`] chunks of the same read: those before `offset`
    /// are good.
    pub fn error_at(self, cookie: Cookie, errno: Errno, offset: u64, message: &str, out: &mut Vec<u8>) {
        match self {
            Self::Simple => out.extend_from_slice(&wire::simple(cookie, Some(errno))),
            Self::Structured => error_chunk(cookie, errno, message, Some(offset), Part::Last, out),
        }
    }
}

/// A chunk of data at `range`, whose bytes follow it. Structured replies only; one chunk a reply where the
/// request says [`DONT_FRAGMENT`](super::wire::flags::CommandFlags::DONT_FRAGMENT). `range` is not empty.
pub fn data(cookie: Cookie, range: ByteRange, part: Part, out: &mut Vec<u8>) {
    debug_assert!(range.bytes > 0, "a chunk describes at least one byte");
    out.extend_from_slice(&wire::offset_data(cookie, part.flags(), range.offset, range.bytes));
}

/// A chunk that says: `range` reads as zeroes. Structured replies only, and not for an unfragmented read.
/// `range` is not empty.
pub fn hole(cookie: Cookie, range: ByteRange, part: Part, out: &mut Vec<u8>) {
    debug_assert!(range.bytes > 0, "a chunk describes at least one byte");
    out.extend_from_slice(&wire::offset_hole(cookie, part.flags(), range.offset, range.bytes));
}

/// The empty chunk that ends a reply whose last chunk was not marked [`Part::Last`]. Structured replies only.
pub fn end(cookie: Cookie, out: &mut Vec<u8>) {
    out.extend_from_slice(&wire::none(cookie));
}

/// A chunk that reports a failure at byte `offset` within a read that goes on. Structured replies only.
pub fn error_within(cookie: Cookie, errno: Errno, offset: u64, message: &str, out: &mut Vec<u8>) {
    error_chunk(cookie, errno, message, Some(offset), Part::More, out);
}

fn error_chunk(
    cookie: Cookie,
    errno: Errno,
    message: &str,
    offset: Option<u64>,
    part: Part,
    out: &mut Vec<u8>,
) {
    let message = cut_to_fit(message);
    let (kind, offset_bytes) = match offset {
        None => (ChunkType::Error, 0),
        Some(_) => (ChunkType::ErrorOffset, 8),
    };
    // At most 4096 bytes of text: both lengths fit.
    let text_bytes = message.len() as u16;
    let length = 4 + 2 + u32::from(text_bytes) + offset_bytes;
    out.extend_from_slice(&wire::chunk(cookie, part.flags(), kind, length));
    out.extend_from_slice(&errno.code().to_be_bytes());
    out.extend_from_slice(&text_bytes.to_be_bytes());
    out.extend_from_slice(message.as_bytes());
    if let Some(offset) = offset {
        out.extend_from_slice(&offset.to_be_bytes());
    }
}

/// As much of `text` as one string may have, whole characters only.
fn cut_to_fit(text: &str) -> &str {
    let mut bytes = text.len().min(MAX_STRING_BYTES);
    while !text.is_char_boundary(bytes) {
        bytes -= 1;
    }
    &text[..bytes]
}

#[cfg(test)]
mod tests;
