//! The dm-remap engine: which sector lives where, what to do when a disk fails, and what lies on a spare.
//!
//! This crate owns every decision and performs no IO. It has no clock, no threads, no allocation and no
//! unsafe code; memory, time and the results of disk operations are given by its caller: a kernel module, a
//! user-space server or a simulator.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, loom))]
extern crate std;

pub mod error;
pub mod units;

pub use error::DiskError;
pub use units::{BlockIndex, Sector, SectorRange, SlotIndex};
