//! Disks for the dm-remap engine, the running device, and the lists of bad sectors that other programs write.
//!
//! This crate owns the IO that `remap-core` asks for: it knows files, block devices, memory and faults on
//! purpose, and runs the engine on them for many requests at once. It decides nothing about where a sector
//! lives.

pub mod device;
pub mod disk;
pub mod lists;
pub mod members;
pub mod ring;

#[cfg(test)]
mod testbed;
