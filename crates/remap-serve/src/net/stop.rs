//! A signal to a thread that waits in `poll`: it owns the descriptor that becomes readable.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

use super::NetError;

/// Given once, it stays given.
#[derive(Debug)]
pub(crate) struct StopSignal(OwnedFd);

impl StopSignal {
    /// Not given yet.
    pub(crate) fn new() -> Result<Self, NetError> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Makes the descriptor readable, for good.
    pub(crate) fn give(&self) {
        // Nobody reads it, and it is given a few times at most: the count cannot overflow.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

impl AsFd for StopSignal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
