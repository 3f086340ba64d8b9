//! The dm-remap engine inside a kernel module: [`remap_core`] behind a C interface.
//!
//! The C glue (`kmod/*.c`) knows bios, memory, time and locks; everything that is decided is decided here or in
//! the core. [`abi`] is what both sides agree on, `kmod/remap_core.h` says the same in C. Built for a target without an
//! operating system and linked into the module; its tests run on the build machine, with a glue of their own.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod exports;

mod assembly;
mod blank;
mod drive;
mod engine;
mod glue;
mod memory;
mod messages;
mod opening;
mod order;
#[cfg(target_os = "none")]
mod panic;
mod scrubbing;
mod status;
mod table;
mod text;

#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
