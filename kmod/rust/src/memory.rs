//! Memory of the kernel: owned, and for the engine's tables, its writer and its procedures.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64};

use crate::glue;

/// Memory that is given back when this goes.
#[derive(Debug)]
pub struct Allocation {
    start: NonNull<u8>,
    bytes: usize,
}

/// What all-zero memory is a valid value of.
///
/// # Safety
/// Zeros must be a value of the type, and the type must not need dropping.
pub unsafe trait Zeroable {}
// SAFETY: plain numbers.
unsafe impl Zeroable for u8 {}
// SAFETY: plain numbers.
unsafe impl Zeroable for u64 {}
// SAFETY: plain numbers.
unsafe impl Zeroable for AtomicU32 {}
// SAFETY: plain numbers.
unsafe impl Zeroable for AtomicU64 {}

impl Allocation {
    /// Zeroed memory, aligned to at least 8 bytes. May sleep.
    pub fn zeroed(bytes: usize) -> Option<Self> {
        let start = NonNull::new(glue::alloc(bytes.max(8)).cast())?;
        Some(Self { start, bytes })
    }

    /// Memory for `count` values.
    pub fn of<T: Zeroable>(count: u64) -> Option<Self> {
        let bytes = usize::try_from(count).ok()?.checked_mul(size_of::<T>())?;
        Self::zeroed(bytes)
    }

    /// The memory as values, for as long as the caller says.
    ///
    /// # Safety
    /// `self` outlives `'a`, and nobody else uses the memory meanwhile but by shared references to atomics.
    pub unsafe fn slice<'a, T: Zeroable>(&self) -> &'a [T] {
        // SAFETY: allocated and zeroed; alignment of at most 8 as the glue gives; life by the caller's promise.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr().cast(), self.bytes / size_of::<T>()) }
    }

    /// The memory as values that one may change.
    ///
    /// # Safety
    /// `self` outlives `'a`, and nobody else uses the memory meanwhile.
    pub unsafe fn slice_mut<'a, T: Zeroable>(&mut self) -> &'a mut [T] {
        // SAFETY: as above.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.bytes / size_of::<T>()) }
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: from `alloc`, and this was the owner.
        unsafe { glue::free(self.start.as_ptr().cast::<c_void>()) }
    }
}

/// A value in memory of its own.
#[derive(Debug)]
pub struct Placed<T>(NonNull<T>);

impl<T> Placed<T> {
    #[inline(never)]
    /// Puts a value there; `None` when there is no memory.
    pub fn new(value: T) -> Option<Self> {
        const { assert!(align_of::<T>() <= 4096) };
        // The kernel's allocator aligns powers of two to their size.
        let bytes = size_of::<T>().max(align_of::<T>()).next_power_of_two();
        let place = NonNull::new(glue::alloc(bytes).cast::<T>())?;
        // SAFETY: large enough and aligned; nothing was there.
        unsafe { place.write(value) };
        Some(Self(place))
    }

    /// The value.
    pub fn get(&self) -> &T {
        // SAFETY: written in `new`, and lives as long as `self`.
        unsafe { self.0.as_ref() }
    }

    /// Where the value is.
    pub fn pointer(&self) -> NonNull<T> {
        self.0
    }

    /// A copy of `model`, without a detour over the stack.
    ///
    /// # Safety
    /// As for [`Room::copy_of`].
    pub unsafe fn copy_of(model: &'static T) -> Option<Self> {
        const { assert!(align_of::<T>() <= 8) };
        let place = NonNull::new(glue::alloc(size_of::<T>()).cast::<T>())?;
        // SAFETY: large enough and aligned; a copy by the caller's promise.
        unsafe { place.as_ptr().copy_from_nonoverlapping(model, 1) };
        Some(Self(place))
    }

    /// The value, to be changed.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: written when made, and lives as long as `self`, which nobody else has now.
        unsafe { self.0.as_mut() }
    }

    /// Gives the value away, to come back by [`from_raw`](Self::from_raw).
    pub fn into_raw(self) -> *mut T {
        core::mem::ManuallyDrop::new(self).0.as_ptr()
    }

    /// Takes back what [`into_raw`](Self::into_raw) gave away.
    ///
    /// # Safety
    /// Not null, from there, and taken back once.
    pub unsafe fn from_raw(place: *mut T) -> Self {
        // SAFETY: by the caller's promise.
        Self(unsafe { NonNull::new_unchecked(place) })
    }
}

impl<T> Drop for Placed<T> {
    fn drop(&mut self) {
        // SAFETY: written in `new`, dropped once.
        unsafe { self.0.drop_in_place() };
        // SAFETY: from `alloc`, and this was the owner.
        unsafe { glue::free(self.0.as_ptr().cast()) };
    }
}

/// Memory for the state of one procedure at a time, which is too large for a kernel's stack.
#[derive(Debug)]
pub struct Arena(Allocation);

/// What the largest procedure needs; a smaller arena does not compile.
const ARENA_BYTES: usize = 64 << 10;

impl Arena {
    /// An empty one.
    pub fn new() -> Option<Self> {
        Allocation::zeroed(ARENA_BYTES).map(Self)
    }

    #[inline(never)]
    /// Lets `work` have the procedure that `make` makes, pinned in the arena.
    pub fn with<F, R>(&mut self, make: impl FnOnce() -> F, work: impl FnOnce(Pin<&mut F>) -> R) -> R {
        const { assert!(size_of::<F>() <= ARENA_BYTES && align_of::<F>() <= 16) };
        let place = self.0.start.cast::<F>();
        // SAFETY: large enough and aligned by the assertion above; nothing is there between two calls, and no
        // second call can come during one, as `self` is borrowed.
        unsafe { place.write(make()) };
        // SAFETY: just written, and nobody else has it.
        let procedure = unsafe { &mut *place.as_ptr() };
        // SAFETY: not moved until it is dropped below.
        let result = work(unsafe { Pin::new_unchecked(procedure) });
        // SAFETY: written above and dropped once; nobody has a reference any more.
        unsafe { place.drop_in_place() };
        result
    }
}

/// Memory for one value that comes later, and is never dropped: it must own nothing.
#[derive(Debug)]
pub struct Room<T>(Allocation, PhantomData<T>);

impl<T> Room<T> {
    /// An empty one.
    pub fn new() -> Option<Self> {
        const { assert!(align_of::<T>() <= 8) };
        Some(Self(Allocation::zeroed(size_of::<T>())?, PhantomData))
    }

    /// Puts a copy of `model` there, without a detour over the stack.
    ///
    /// # Safety
    /// `model` is a value as `const` as can be: its bytes are all of it. `self` outlives `'a`, and nobody else uses the
    /// memory meanwhile.
    pub unsafe fn copy_of<'a>(&mut self, model: &'static T) -> &'a mut T {
        let place = self.0.start.cast::<T>();
        // SAFETY: large enough and aligned, by `new`; a copy by the caller's promise.
        unsafe { place.as_ptr().copy_from_nonoverlapping(model, 1) };
        // SAFETY: just written; life by the caller's promise.
        unsafe { &mut *place.as_ptr() }
    }
}
