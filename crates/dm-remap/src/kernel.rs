//! Sets that the kernel's target runs: finding them, asking them, making and closing their devices.
//!
//! It owns the texts of the target, which `docs/kernel-target.md` describes, and turns them into the same facts that
//! a server's control socket gives. Which sector lives where is not known here.

mod activate;
mod answers;
mod members;
mod pieces;
mod set;
mod target;

pub use activate::{Opening, activate, plain};
pub use set::{KernelSet, UUID_PREFIX, all, find};
pub use target::{TARGET, Target};
