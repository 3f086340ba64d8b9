//! Threads that carry out the requests of one connection that may take long. It owns the queue to them; they
//! are started when there is work for them.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::batch::Batch;
use super::perform::{Performer, Task};

/// Where the replies of workers go.
pub(super) trait Outlet: Send + Sync + Debug {
    /// Takes replies to be sent; leaves `replies` empty.
    fn deliver(&self, replies: &mut Batch);

    /// A request will never be answered: the connection is to end.
    fn abandon(&self);
}

#[derive(Debug, Default)]
struct Waiting {
    tasks: VecDeque<Task>,
    idle: usize,
    closed: bool,
}

#[derive(Debug)]
struct Office {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    performer: Performer,
    outlet: Arc<dyn Outlet>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Workers {
    office: Arc<Office>,
    threads: Vec<JoinHandle<()>>,
    limit: usize,
}

impl Workers {
    /// At most `limit` threads, none yet.
    pub(super) fn new(limit: usize, performer: Performer, outlet: Arc<dyn Outlet>) -> Self {
        let office = Office { waiting: Mutex::default(), arrived: Condvar::new(), performer, outlet };
        Self { office: Arc::new(office), threads: Vec::new(), limit }
    }

    /// Has `task` carried out and answered; gives it back when there is no thread and none can be had.
    pub(super) fn give(&mut self, task: Task) -> Result<(), Task> {
        let needs_thread = {
            let waiting = self.office.lock();
            waiting.idle <= waiting.tasks.len() && self.threads.len() < self.limit
        };
        if needs_thread {
            let office = Arc::clone(&self.office);
            let spawned = std::thread::Builder::new().name("nbd worker".into()).spawn(move || office.work());
            self.threads.extend(spawned);
        }
        if self.threads.is_empty() {
            return Err(task);
        }
        self.office.lock().tasks.push_back(task);
        self.office.arrived.notify_one();
        Ok(())
    }

    /// Waits until all that was given is done, and sends the threads home.
    pub(super) fn finish(self) {
        self.office.lock().closed = true;
        self.office.arrived.notify_all();
        for thread in self.threads {
            // A panic there has ended the connection already.
            let _ = thread.join();
        }
    }
}

impl Office {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let alarm = Alarm(&*self.outlet);
        let mut replies = Batch::default();
        while let Some(task) = self.next() {
            self.performer.perform(task, &mut replies);
            self.outlet.deliver(&mut replies);
        }
        std::mem::forget(alarm);
    }

    /// The next task; `None` when all are done and no more will come.
    fn next(&self) -> Option<Task> {
        let mut waiting = self.lock();
        loop {
            if let Some(task) = waiting.tasks.pop_front() {
                return Some(task);
            }
            if waiting.closed {
                return None;
            }
            waiting.idle += 1;
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.idle -= 1;
        }
    }
}

/// Ends the connection when a worker panics: its request would never be answered.
struct Alarm<'o>(&'o dyn Outlet);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
