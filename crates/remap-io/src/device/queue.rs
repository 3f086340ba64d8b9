//! What waits for the recovery thread: failed requests, and commands that are performed between batches.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use remap_core::port::Port;
use remap_core::recovery::job::{Job, JobError};
use remap_core::recovery::{MAX_BATCH, Recovery};

use crate::disk::AlignedBuffer;

use super::shared::Shared;

/// What became of a job.
#[derive(Debug)]
pub struct Reply {
    /// How it went.
    pub result: Result<(), JobError>,
    /// The job's data; of a read, what could be read.
    pub data: AlignedBuffer,
}

/// A job on its way to recovery. When it is dropped without an answer, recovery has halted.
pub struct Pending {
    /// What to do.
    pub job: Job,
    /// Its data: the range's bytes for reads and writes, nothing otherwise.
    pub data: AlignedBuffer,
    /// Whom to tell.
    pub done: Box<dyn FnOnce(Reply) + Send>,
}

/// Something to be done with the writer of the set, between batches.
pub type Command = Box<dyn for<'s, 'm, 'p> FnOnce(&mut Recovery<'s, 'm>, &Port<'p>, &Shared) + Send>;

/// What to do next.
pub enum Work {
    /// A batch: at least one, at most [`MAX_BATCH`].
    Jobs(Vec<Pending>),
    /// A command.
    Command(Command),
    /// Nothing came for the time given.
    Idle,
    /// Leave, at once.
    Stop,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Pending>,
    commands: VecDeque<Command>,
    command_is_due: bool,
    closed: bool,
}

/// The queue of one device.
#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; gives it back when nobody will take it any more.
    pub fn submit(&self, pending: Pending) -> Result<(), Pending> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(pending);
        }
        waiting.jobs.push_back(pending);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Adds a command; `false` when nobody will take it any more.
    pub fn command(&self, command: Command) -> bool {
        let mut waiting = self.lock();
        if waiting.closed {
            return false;
        }
        waiting.commands.push_back(command);
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// Takes nothing more, and drops what waits.
    pub fn close(&self) {
        let dropped = {
            let mut waiting = self.lock();
            waiting.closed = true;
            (std::mem::take(&mut waiting.jobs), std::mem::take(&mut waiting.commands))
        };
        // Their owners are told by the drop, which may take locks of its own.
        drop(dropped);
        self.arrived.notify_all();
    }

    /// What to do next; waits for it up to `patience`. Batches and commands take turns.
    pub fn next(&self, patience: Duration) -> Work {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return Work::Stop;
            }
            let has_jobs = !waiting.jobs.is_empty();
            if (waiting.command_is_due || !has_jobs)
                && let Some(command) = waiting.commands.pop_front()
            {
                waiting.command_is_due = false;
                return Work::Command(command);
            }
            if has_jobs {
                waiting.command_is_due = true;
                let count = waiting.jobs.len().min(MAX_BATCH);
                return Work::Jobs(waiting.jobs.drain(..count).collect());
            }
            let (guard, timeout) =
                self.arrived.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner);
            waiting = guard;
            if timeout.timed_out()
                && waiting.jobs.is_empty()
                && waiting.commands.is_empty()
                && !waiting.closed
            {
                return Work::Idle;
            }
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}
