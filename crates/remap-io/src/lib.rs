//! Disks for the dm-remap engine, and the lists of bad sectors that other programs write.
//!
//! This crate owns the IO that `remap-core` asks for: it knows files, block devices, memory and faults on
//! purpose. It decides nothing about where a sector lives.

pub mod disk;
pub mod lists;
