//! The chunk of a block status reply: one context's extents, in order from where the request starts.
//! It owns the bounds on extents and joins equal neighbours; it may not know what a status means.

use super::Part;
use crate::nbd::context::Context;
use crate::nbd::request::Request;
use crate::nbd::wire::flags::CommandFlags;
use crate::nbd::wire::reply::{CHUNK_HEADER_BYTES, ChunkType, chunk};

/// The most extents in one chunk (specification, "`NBD_REPLY_TYPE_BLOCK_STATUS`").
pub const MAX_EXTENTS: u32 = 1 << 20;

/// A chunk under construction at the end of a buffer.
///
/// Extents are pushed until [`push`](Self::push) says that no more are wanted; at least one. A structured
/// reply to block status is one such chunk for each selected context, the last marked [`Part::Last`].
#[derive(Debug)]
pub struct BlockStatusChunk<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    request: Request,
    /// Bytes of the request that no extent covers yet.
    left: u32,
    extents: u32,
    max_extents: u32,
    /// The extent not written yet, because the next may join it: bytes and status.
    open: Option<(u32, u32)>,
}

impl<'o> BlockStatusChunk<'o> {
    /// Begins the chunk that answers `request` for `context`.
    pub fn new(request: &Request, context: Context, out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; CHUNK_HEADER_BYTES]);
        out.extend_from_slice(&context.id().to_be_bytes());
        let one = request.flags.contains(CommandFlags::REQ_ONE);
        Self {
            out,
            start,
            request: *request,
            left: request.range.bytes,
            extents: 0,
            max_extents: if one { 1 } else { MAX_EXTENTS },
            open: None,
        }
    }

    /// Adds `bytes` bytes of `status` behind what was pushed before, cut off where the request ends.
    /// Whether more is wanted; once not, further extents are dropped.
    pub fn push(&mut self, bytes: u64, status: u32) -> bool {
        // The smaller of the two has 32 bits.
        let bytes = bytes.min(u64::from(self.left)) as u32;
        if bytes == 0 {
            return self.left > 0;
        }
        self.open = match self.open {
            Some((open, same)) if same == status => Some((open + bytes, status)),
            None => Some((bytes, status)),
            Some((open, other)) => {
                self.write(open, other);
                if self.extents == self.max_extents {
                    self.left = 0;
                    self.open = None;
                    return false;
                }
                Some((bytes, status))
            }
        };
        self.left -= bytes;
        self.left > 0
    }

    /// Completes the chunk.
    pub fn finish(mut self, part: Part) {
        if let Some((bytes, status)) = self.open {
            self.write(bytes, status);
        }
        assert!(self.extents > 0, "a block status chunk has at least one extent");
        // At most 2^20 extents of 8 bytes.
        let length = (self.out.len() - self.start - CHUNK_HEADER_BYTES) as u32;
        let header = chunk(self.request.cookie, part.flags(), ChunkType::BlockStatus, length);
        self.out[self.start..self.start + CHUNK_HEADER_BYTES].copy_from_slice(&header);
    }

    fn write(&mut self, bytes: u32, status: u32) {
        self.out.extend_from_slice(&bytes.to_be_bytes());
        self.out.extend_from_slice(&status.to_be_bytes());
        self.extents += 1;
    }
}
