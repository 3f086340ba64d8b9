//! The dm-remap engine: which sector lives where, what to do when a disk fails, and what lies on a spare.
//!
//! This crate owns every decision and performs no IO. It has no clock, no threads, no allocation and no
//! unsafe code; memory, time and the results of disk operations are given by its caller: a kernel module, a
//! user-space server or a simulator.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, loom))]
extern crate std;

pub mod allocator;
pub mod counters;
pub mod error;
pub mod filter;
pub mod format;
pub mod gauges;
pub mod health;
pub mod held;
pub mod layout;
pub mod map;
pub mod open;
pub mod plan;
pub mod port;
pub mod record;
pub mod recovery;
pub mod scrub;
pub mod set;
#[cfg(not(loom))]
mod sync;
#[cfg(loom)]
pub mod sync;
pub mod trend;
pub mod units;

pub use error::DiskError;
pub use units::{BlockIndex, BlockSize, Sector, SectorRange, SlotIndex};

#[cfg(all(test, not(loom)))]
mod tests;
