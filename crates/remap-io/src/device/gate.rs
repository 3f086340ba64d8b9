//! Where requests wait that found their range held, until recovery lets go of it.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, Weak};

use super::shared::lock;

/// Someone who is told of every release.
pub trait Listener: Send + Sync {
    /// Something was released.
    fn released(&self);
}

/// See the module.
#[derive(Default)]
pub struct Gate {
    listeners: Mutex<Vec<Weak<dyn Listener>>>,
    released: Condvar,
}

impl Gate {
    /// Waits while `is_held` says so. It is asked again after each release.
    pub fn wait_while(&self, is_held: impl Fn() -> bool) {
        let mut guard = lock(&self.listeners);
        while is_held() {
            guard = self.released.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Tells `listener` of every release as long as it lives.
    pub fn listen<L: Listener + 'static>(&self, listener: &Arc<L>) {
        let listener: Weak<L> = Arc::downgrade(listener);
        let mut listeners = lock(&self.listeners);
        listeners.retain(|other| other.strong_count() > 0);
        listeners.push(listener);
    }

    /// Lets everyone look again. What they look at has been changed before.
    pub fn release(&self) {
        for listener in &*lock(&self.listeners) {
            if let Some(listener) = listener.upgrade() {
                listener.released();
            }
        }
        self.released.notify_all();
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}
