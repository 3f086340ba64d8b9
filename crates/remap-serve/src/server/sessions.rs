//! The sessions that are running: how many, and the means to stop them. It owns the count that limits them.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::session::handle::Handle;

#[derive(Debug, Default)]
struct Running {
    handles: HashMap<u64, Arc<Handle>>,
    last: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    running: Mutex<Running>,
    changed: Condvar,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a session in, unless there are `limit` already. It counts until the entry is dropped.
    pub(super) fn enter(self: &Sessions, limit: usize, handle: &Arc<Handle>) -> Option<u64> {
        let mut running = self.lock();
        if running.handles.len() >= limit {
            return None;
        }
        running.last += 1;
        let number = running.last;
        running.handles.insert(number, Arc::clone(handle));
        Some(number)
    }

    /// The session is over.
    pub(super) fn leave(&self, number: u64) {
        self.lock().handles.remove(&number);
        self.changed.notify_all();
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().handles.len()
    }

    /// Lets all sessions finish what they have begun; how many of them are past their handshake.
    pub(super) fn wind_down(&self) -> usize {
        let running = self.lock();
        running.handles.values().for_each(|handle| handle.wind_down());
        running.handles.values().filter(|handle| handle.is_in_transmission()).count()
    }

    /// Ends all sessions where they stand.
    pub(super) fn hang_up(&self) {
        self.lock().handles.values().for_each(|handle| handle.hang_up());
    }

    /// Waits until there are none; how many there are when the wait is over.
    pub(super) fn wait_until_empty(&self, deadline: Instant) -> usize {
        let mut running = self.lock();
        while !running.handles.is_empty() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
            running = self.changed.wait_timeout(running, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        running.handles.len()
    }
}
