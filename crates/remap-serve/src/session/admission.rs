//! How much one connection may have under way: requests whose reply is not sent, and the bytes of their data.
//! It owns the two counts; who waits here is not received from, which is all the flow control there is.

use std::sync::{Condvar, Mutex, PoisonError};

/// Requests without a reply, at most.
pub(super) const MAX_REQUESTS: usize = 256;

#[derive(Debug, Default)]
struct Counts {
    requests: usize,
    bytes: usize,
    is_open: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Admission {
    counts: Mutex<Counts>,
    changed: Condvar,
    limit_bytes: usize,
}

/// What a request takes up until its reply is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

impl Weight {
    /// One request with `bytes` bytes of data.
    pub(super) const fn of(bytes: usize) -> Self {
        Self { requests: 1, bytes }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
    }

    pub(super) fn take_off(&mut self, other: Self) {
        self.requests -= other.requests;
        self.bytes -= other.bytes;
    }
}

impl Admission {
    /// At most `limit_bytes` bytes at once, or one request of any size.
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { counts: Mutex::default(), changed: Condvar::new(), limit_bytes }
    }

    /// Counts a request in, if there is room.
    pub(super) fn try_enter(&self, weight: Weight) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        self.enter_if_room(&mut counts, weight)
    }

    /// Counts a request in, as soon as there is room.
    pub(super) fn enter(&self, weight: Weight) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.enter_if_room(&mut counts, weight) {
            counts = self.changed.wait(counts).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets everything in from now on: the connection is ending, and some that are in will never leave.
    pub(super) fn open(&self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).is_open = true;
        self.changed.notify_all();
    }

    /// Replies have been sent, or will never be.
    pub(super) fn leave(&self, weight: Weight) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.requests -= weight.requests;
        counts.bytes -= weight.bytes;
        self.changed.notify_all();
    }

    fn enter_if_room(&self, counts: &mut Counts, weight: Weight) -> bool {
        let fits = counts.bytes == 0 || counts.bytes + weight.bytes <= self.limit_bytes;
        let room = counts.is_open || (counts.requests < MAX_REQUESTS && fits);
        if room {
            counts.requests += weight.requests;
            counts.bytes += weight.bytes;
        }
        room
    }
}

#[cfg(test)]
mod tests;
