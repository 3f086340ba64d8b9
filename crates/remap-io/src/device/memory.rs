//! A set together with the memory of its tables, which it borrows.
//!
//! The only place of the device that deals with the lifetime of that memory: it is given to the set as if
//! for ever, shown only for as long as the owner lives, and taken back when the owner goes.

use std::alloc::{Layout, alloc_zeroed};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::{NonNull, slice_from_raw_parts_mut};
use std::sync::atomic::{AtomicU32, AtomicU64};

use remap_core::format::superblock::Superblock;
use remap_core::set::{MemorySizes, Set, SetMemory};

/// A set that owns its memory.
pub struct OwnedSet {
    set: ManuallyDrop<Set<'static>>,
    filter: NonNull<[AtomicU64]>,
    records: NonNull<[AtomicU64]>,
    index: NonNull<[AtomicU32]>,
}

// SAFETY: the pointers are to memory that this value owns, and that only holds atomics.
unsafe impl Send for OwnedSet {}
// SAFETY: as above; everything that is shown of it is `Set`, which is `Sync`.
unsafe impl Sync for OwnedSet {}

impl OwnedSet {
    /// An empty set of the shape that `superblock` tells; `None` when there is not enough memory.
    pub fn new(superblock: &Superblock, present: &[bool]) -> Option<Self> {
        let sizes = MemorySizes::of(superblock);
        let filter = leak(zeroed::<AtomicU64>(sizes.filter_words)?);
        let records = leak(zeroed::<AtomicU64>(sizes.record_words)?);
        let index = leak(zeroed::<AtomicU32>(sizes.index_cells)?);
        // SAFETY: just leaked, so valid for as long as nobody takes it back, which only `drop` does.
        let filter_slice: &'static [AtomicU64] = unsafe { filter.as_ref() };
        // SAFETY: as above.
        let record_slice: &'static [AtomicU64] = unsafe { records.as_ref() };
        // SAFETY: as above.
        let index_slice: &'static [AtomicU32] = unsafe { index.as_ref() };
        let memory = SetMemory { filter: filter_slice, records: record_slice, index: index_slice };
        let set = Set::new(superblock, present, memory)?;
        Some(Self { set: ManuallyDrop::new(set), filter, records, index })
    }

    /// The set, for no longer than its memory lives.
    #[inline]
    pub fn get(&self) -> &Set<'_> {
        &self.set
    }
}

impl Drop for OwnedSet {
    fn drop(&mut self) {
        // SAFETY: dropped here only, and never used again.
        unsafe { ManuallyDrop::drop(&mut self.set) };
        // SAFETY: leaked in `new`; the set was its only user, and `get` never showed it for longer.
        drop(unsafe { Box::from_raw(self.filter.as_ptr()) });
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(self.records.as_ptr()) });
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(self.index.as_ptr()) });
    }
}

impl fmt::Debug for OwnedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedSet").finish_non_exhaustive()
    }
}

fn leak<T>(memory: Box<[T]>) -> NonNull<[T]> {
    NonNull::from(Box::leak(memory))
}

/// What all-zero memory is a valid value of.
trait Zeroable {}
impl Zeroable for AtomicU64 {}
impl Zeroable for AtomicU32 {}

/// `count` zeros. Pages that are never touched cost nothing, so that a set with many slots opens fast.
fn zeroed<T: Zeroable>(count: u64) -> Option<Box<[T]>> {
    let count = usize::try_from(count).ok()?;
    let layout = Layout::array::<T>(count).ok()?;
    if layout.size() == 0 {
        return Some(Box::new([]));
    }
    // SAFETY: the size is not zero.
    let memory = NonNull::new(unsafe { alloc_zeroed(layout) })?;
    let slice = slice_from_raw_parts_mut(memory.as_ptr().cast::<T>(), count);
    // SAFETY: allocated by the global allocator with the layout of `[T]`, and zeros are valid for `T`.
    Some(unsafe { Box::from_raw(slice) })
}

#[cfg(test)]
mod tests;
