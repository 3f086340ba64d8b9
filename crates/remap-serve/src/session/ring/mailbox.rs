//! Where workers leave replies for the thread that sends them, and the bell they ring. It owns both.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::net::{NetError, Socket};
use crate::session::batch::Batch;
use crate::session::workers::Outlet;

/// Memory for one ring of the bell.
pub(super) const BELL_BYTES: usize = 512;

#[derive(Debug, Default)]
struct Letters {
    replies: Batch,
    abandoned: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Mailbox {
    letters: Mutex<Letters>,
    clapper: Socket,
}

impl Mailbox {
    /// An empty one, and the socket that becomes readable when it is not.
    pub(super) fn new() -> Result<(Arc<Self>, OwnedFd), NetError> {
        let (clapper, bell) = Socket::pair()?;
        Ok((Arc::new(Self { letters: Mutex::default(), clapper }), bell.into_descriptor()))
    }

    /// What has been left.
    pub(super) fn take(&self) -> Batch {
        std::mem::take(&mut self.lock().replies)
    }

    /// Whether a request will never be answered.
    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        // When there is no room for one more, the bell has been ringing for long.
        let _ = self.clapper.send_now(&[1]);
    }
}

impl Outlet for Mailbox {
    fn deliver(&self, replies: &mut Batch) {
        self.lock().replies.append(replies);
        self.ring();
    }

    fn abandon(&self) {
        self.lock().abandoned = true;
        self.ring();
    }
}
