//! Scenarios that run as root in a disposable guest with a real kernel, and the pieces they are made of.
//!
//! Everything here may change the machine that it runs on: load modules, make and remove devices, cut the
//! power. It refuses to run anywhere but in a guest that was started for it.

#![allow(clippy::single_range_in_vec_init)] // a list of bad ranges often holds one

pub mod checks;
pub mod direct;
pub mod disks;
pub mod dm;
pub mod fio;
pub mod fs;
pub mod guest;
pub mod klog;
pub mod load;
pub mod mirror;
pub mod program;
pub mod runner;
pub mod scenario;
pub mod scenarios;
pub mod set;
pub mod tree;
pub mod versions;
pub mod write_log;
pub mod zfs;
