//! The atomics of the shared structures: the real ones, or loom's when interleavings are model-checked.

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
#[cfg(loom)]
pub use loom::sync::atomic::Ordering;
#[cfg(loom)]
pub use traced::{AtomicU8, AtomicU32, AtomicU64};

#[cfg(loom)]
mod traced;
