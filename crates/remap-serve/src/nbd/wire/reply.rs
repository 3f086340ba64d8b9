//! The fixed parts of replies: the simple reply and the headers of structured chunks, as arrays.
//! It owns their layout and does not allocate; which form a reply takes is decided in `nbd::reply`.

use super::errno::Errno;
use super::flags::ChunkFlags;
use super::{CHUNK_MAGIC, Cookie, SIMPLE_REPLY_MAGIC};

/// Bytes of a simple reply before its data (specification, "Simple reply message").
pub const SIMPLE_REPLY_BYTES: usize = 16;
/// Bytes of a chunk before its payload ("Structured reply chunk message").
pub const CHUNK_HEADER_BYTES: usize = 20;
/// Bytes of an `OFFSET_DATA` chunk before its data.
pub const DATA_HEADER_BYTES: usize = CHUNK_HEADER_BYTES + 8;
/// Bytes of a whole `OFFSET_HOLE` chunk.
pub const HOLE_BYTES: usize = CHUNK_HEADER_BYTES + 12;

/// What a chunk holds ("Structured reply types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum ChunkType {
    /// `NBD_REPLY_TYPE_NONE`: nothing; always the last.
    None = 0,
    /// `NBD_REPLY_TYPE_OFFSET_DATA`: an offset and data.
    OffsetData = 1,
    /// `NBD_REPLY_TYPE_OFFSET_HOLE`: an offset and how many zeroes.
    OffsetHole = 2,
    /// `NBD_REPLY_TYPE_BLOCK_STATUS`: a context and its extents.
    BlockStatus = 5,
    /// `NBD_REPLY_TYPE_ERROR`: an error and a message.
    Error = 0x8001,
    /// `NBD_REPLY_TYPE_ERROR_OFFSET`: an error, a message and where.
    ErrorOffset = 0x8002,
}

/// A simple reply; `None` for success.
pub fn simple(cookie: Cookie, error: Option<Errno>) -> [u8; SIMPLE_REPLY_BYTES] {
    let mut bytes = [0; SIMPLE_REPLY_BYTES];
    bytes[0..4].copy_from_slice(&SIMPLE_REPLY_MAGIC.to_be_bytes());
    bytes[4..8].copy_from_slice(&error.map_or(0, Errno::code).to_be_bytes());
    bytes[8..16].copy_from_slice(&cookie.0.to_be_bytes());
    bytes
}

/// The header of any chunk; `length` counts the payload behind it, in bytes.
pub fn chunk(cookie: Cookie, flags: ChunkFlags, kind: ChunkType, length: u32) -> [u8; CHUNK_HEADER_BYTES] {
    let mut bytes = [0; CHUNK_HEADER_BYTES];
    bytes[0..4].copy_from_slice(&CHUNK_MAGIC.to_be_bytes());
    bytes[4..6].copy_from_slice(&flags.bits().to_be_bytes());
    bytes[6..8].copy_from_slice(&(kind as u16).to_be_bytes());
    bytes[8..16].copy_from_slice(&cookie.0.to_be_bytes());
    bytes[16..20].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// The chunk without payload that ends a reply.
pub fn none(cookie: Cookie) -> [u8; CHUNK_HEADER_BYTES] {
    chunk(cookie, ChunkFlags::DONE, ChunkType::None, 0)
}

/// What stands before `data_bytes` bytes of data from byte `offset`; at most 2^32 - 9 of them.
pub fn offset_data(
    cookie: Cookie,
    flags: ChunkFlags,
    offset: u64,
    data_bytes: u32,
) -> [u8; DATA_HEADER_BYTES] {
    let length = data_bytes.checked_add(8).expect("a data chunk is bounded by the maximum payload");
    let mut bytes = [0; DATA_HEADER_BYTES];
    bytes[..CHUNK_HEADER_BYTES].copy_from_slice(&chunk(cookie, flags, ChunkType::OffsetData, length));
    bytes[CHUNK_HEADER_BYTES..].copy_from_slice(&offset.to_be_bytes());
    bytes
}

/// The chunk that says: `hole_bytes` zeroes from byte `offset`.
pub fn offset_hole(cookie: Cookie, flags: ChunkFlags, offset: u64, hole_bytes: u32) -> [u8; HOLE_BYTES] {
    let mut bytes = [0; HOLE_BYTES];
    bytes[..CHUNK_HEADER_BYTES].copy_from_slice(&chunk(cookie, flags, ChunkType::OffsetHole, 12));
    bytes[CHUNK_HEADER_BYTES..DATA_HEADER_BYTES].copy_from_slice(&offset.to_be_bytes());
    bytes[DATA_HEADER_BYTES..].copy_from_slice(&hole_bytes.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests;
