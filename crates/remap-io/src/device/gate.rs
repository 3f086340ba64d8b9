//! Where requests wait that found their range held, until recovery lets go of it.

use std::sync::{Condvar, Mutex, PoisonError};

/// See the module.
#[derive(Debug, Default)]
pub struct Gate {
    lock: Mutex<()>,
    released: Condvar,
}

impl Gate {
    /// Waits while `is_held` says so. It is asked again after each release.
    pub fn wait_while(&self, is_held: impl Fn() -> bool) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while is_held() {
            guard = self.released.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets everyone look again. What they look at has been changed before.
    pub fn release(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.released.notify_all();
    }
}
