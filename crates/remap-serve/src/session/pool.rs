//! Aligned memory for the data of requests, kept between requests so that it is neither allocated nor zeroed
//! each time. It owns what is kept and how much of it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use remap_io::disk::AlignedBuffer;

/// The smallest buffer, in bytes; sizes are this times a power of two.
const SMALLEST: usize = 4096;
/// Buffers up to 4096 × 2^13, 32 MiB: the longest read or write.
const CLASSES: usize = 14;
/// Bytes that wait for the next request, at most.
const KEPT_BYTES: usize = 4 << 20;

#[derive(Debug, Default)]
struct Kept {
    bytes: usize,
    by_class: [Vec<AlignedBuffer>; CLASSES],
}

/// Buffers of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool(Arc<Mutex<Kept>>);

impl Pool {
    /// A buffer of `bytes` bytes, at least 1. What it holds is what some request of this connection left.
    pub(super) fn take(&self, bytes: usize) -> Buffer {
        let class = class_of(bytes);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = kept.by_class.get_mut(class).and_then(Vec::pop);
        if let Some(memory) = &memory {
            kept.bytes -= memory.len();
        }
        drop(kept);
        let memory = memory.unwrap_or_else(|| AlignedBuffer::zeroed(SMALLEST << class));
        Buffer { memory: Some(memory), bytes, pool: self.clone() }
    }

    fn give_back(&self, memory: AlignedBuffer) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + memory.len() <= KEPT_BYTES
            && let Some(same) = kept.by_class.get_mut(class_of(memory.len()))
        {
            same.push(memory);
            kept.bytes += same.last().map_or(0, |memory| memory.len());
        }
    }
}

fn class_of(bytes: usize) -> usize {
    bytes.div_ceil(SMALLEST).next_power_of_two().trailing_zeros() as usize
}

/// Memory at a page boundary; goes back to its pool when dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Gone only while the buffer is dropped.
    memory: Option<AlignedBuffer>,
    bytes: usize,
    pool: Pool,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.as_deref().map_or(&[], |memory| &memory[..self.bytes])
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory.as_deref_mut().map_or(&mut [], |memory| &mut memory[..self.bytes])
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            self.pool.give_back(memory);
        }
    }
}
