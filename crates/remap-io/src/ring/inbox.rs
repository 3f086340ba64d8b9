//! Where recovery's answers wait for the thread of a queue, and what wakes it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

use crate::device::{Listener, Reply, lock};

/// See the module.
#[derive(Debug)]
pub struct Inbox {
    event: OwnedFd,
    replies: Mutex<Vec<(usize, Option<Reply>)>>,
    is_filled: AtomicBool,
    /// Whether a request waits for the release of a range.
    waits_for_release: AtomicBool,
}

impl Inbox {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            event: eventfd(0, EventfdFlags::CLOEXEC)?,
            replies: Mutex::default(),
            is_filled: AtomicBool::new(false),
            waits_for_release: AtomicBool::new(false),
        })
    }

    /// The event descriptor; it lives as long as this does.
    pub fn descriptor(&self) -> RawFd {
        self.event.as_fd().as_raw_fd()
    }

    /// Ends the turn of a queue that waits.
    pub fn wake(&self) {
        // It fails only when the count is full, and then it is awake.
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    /// Puts the answer for entry `index` in; none when recovery has halted.
    fn put(&self, index: usize, reply: Option<Reply>) {
        lock(&self.replies).push((index, reply));
        self.is_filled.store(true, Ordering::Release);
        self.wake();
    }

    pub fn is_filled(&self) -> bool {
        self.is_filled.load(Ordering::Acquire)
    }

    pub fn take(&self) -> Vec<(usize, Option<Reply>)> {
        let mut replies = lock(&self.replies);
        self.is_filled.store(false, Ordering::Release);
        std::mem::take(&mut *replies)
    }

    /// Asks to be woken at the next release. To be followed by another look at what is held.
    pub fn wait_for_release(&self) {
        self.waits_for_release.store(true, Ordering::SeqCst);
    }
}

impl Listener for Inbox {
    fn released(&self) {
        if self.waits_for_release.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }
}

/// The way of one answer to its inbox. Dropped unused, it tells that there will be none.
#[derive(Debug)]
pub struct ReturnAddress {
    inbox: Option<std::sync::Arc<Inbox>>,
    index: usize,
}

impl ReturnAddress {
    pub fn new(inbox: &std::sync::Arc<Inbox>, index: usize) -> Self {
        Self { inbox: Some(std::sync::Arc::clone(inbox)), index }
    }

    pub fn send(mut self, reply: Reply) {
        if let Some(inbox) = self.inbox.take() {
            inbox.put(self.index, Some(reply));
        }
    }
}

impl Drop for ReturnAddress {
    fn drop(&mut self) {
        if let Some(inbox) = self.inbox.take() {
            inbox.put(self.index, None);
        }
    }
}
