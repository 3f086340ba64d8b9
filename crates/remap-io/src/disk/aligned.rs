//! Memory whose address is a multiple of the page size, as direct IO wants it.
//!
//! Owns the one way in which this crate gets such memory, without unsafe code: one page more than asked
//! for, of which the aligned part is shown.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// The alignment of every [`AlignedBuffer`], in bytes.
pub const PAGE_BYTES: usize = 4096;

/// Zeroed memory at a multiple of [`PAGE_BYTES`]; its address never changes.
pub struct AlignedBuffer {
    memory: Box<[u8]>,
    offset: usize,
    len: usize,
}

impl AlignedBuffer {
    /// `bytes` zero bytes; untouched pages of a large buffer cost no memory.
    pub fn zeroed(bytes: usize) -> Self {
        let memory = vec![0; bytes + PAGE_BYTES].into_boxed_slice();
        let offset = memory.as_ptr().align_offset(PAGE_BYTES);
        assert!(offset < PAGE_BYTES);
        Self { memory, offset, len: bytes }
    }

    /// The bytes of `from` at an aligned address.
    pub fn copy_of(from: &[u8]) -> Self {
        let mut buffer = Self::zeroed(from.len());
        buffer.copy_from_slice(from);
        buffer
    }

    /// The longest that [`set_len`](Self::set_len) can make it, in bytes.
    pub fn capacity(&self) -> usize {
        self.memory.len() - PAGE_BYTES
    }

    /// Shows `bytes` bytes of the memory from now on, at most [`capacity`](Self::capacity). What was hidden
    /// before holds what it last held.
    pub fn set_len(&mut self, bytes: usize) {
        assert!(bytes <= self.capacity());
        self.len = bytes;
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.offset..self.offset + self.len]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.offset..self.offset + self.len]
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBuffer({} bytes)", self.len)
    }
}

/// Whether `slice` starts at a multiple of `alignment`.
pub(crate) fn is_aligned(slice: &[u8], alignment: usize) -> bool {
    slice.as_ptr().addr().is_multiple_of(alignment)
}

#[cfg(test)]
mod tests;
