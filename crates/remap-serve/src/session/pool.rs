//! Aligned memory for the data of requests, kept between requests so that it is neither allocated nor zeroed
//! each time. It owns what is kept and how much of it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use remap_io::disk::AlignedBuffer;

/// The smallest memory, in bytes; sizes are this times a power of two.
const SMALLEST: usize = 4096;
/// Memory of up to 4096 × 2^13 bytes, 32 MiB: the longest read or write.
const CLASSES: usize = 14;
/// Bytes that wait for the next request, at most.
const KEPT_BYTES: usize = 4 << 20;

#[derive(Debug, Default)]
struct Kept {
    bytes: usize,
    by_class: [Vec<AlignedBuffer>; CLASSES],
}

/// Memory of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool(Arc<Mutex<Kept>>);

impl Pool {
    /// A buffer of `bytes` bytes. What it holds is what some request of this connection left.
    pub(super) fn take(&self, bytes: usize) -> Buffer {
        Buffer { memory: Some(self.take_memory(bytes)), pool: self.clone() }
    }

    /// The same, to be given back by hand.
    pub(super) fn take_memory(&self, bytes: usize) -> AlignedBuffer {
        let class = class_of(bytes);
        let mut kept = self.lock();
        let memory = kept.by_class.get_mut(class).and_then(Vec::pop);
        if let Some(memory) = &memory {
            kept.bytes -= memory.capacity();
        }
        drop(kept);
        let mut memory = memory.unwrap_or_else(|| AlignedBuffer::zeroed(SMALLEST << class));
        memory.set_len(bytes);
        memory
    }

    /// Keeps memory that came from here, as far as there is need for more.
    pub(super) fn give_back(&self, memory: AlignedBuffer) {
        let bytes = memory.capacity();
        let mut kept = self.lock();
        if kept.bytes + bytes <= KEPT_BYTES
            && let Some(same) = kept.by_class.get_mut(class_of(bytes))
        {
            same.push(memory);
            kept.bytes += bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn class_of(bytes: usize) -> usize {
    bytes.div_ceil(SMALLEST).max(1).next_power_of_two().trailing_zeros() as usize
}

/// Memory at a page boundary; goes back to its pool when dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Gone only while the buffer is dropped.
    memory: Option<AlignedBuffer>,
    pool: Pool,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.as_deref().unwrap_or(&[])
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory.as_deref_mut().unwrap_or(&mut [])
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            self.pool.give_back(memory);
        }
    }
}

#[cfg(test)]
mod tests;
