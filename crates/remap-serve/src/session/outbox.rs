//! Sending replies from several threads without one waiting for another: whoever finds nobody sending sends
//! all there is. It owns the order on the wire, and what happens when the client takes nothing any more.

use std::sync::{Arc, Mutex, PoisonError};

use super::admission::Admission;
use super::batch::Batch;
use super::workers::Outlet;
use crate::net::{NetError, Socket};

#[derive(Debug, Default)]
struct Queue {
    waiting: Batch,
    someone_sends: bool,
    failed: Option<NetError>,
}

/// The sending side of one connection.
///
/// What waits here is bounded by [`Admission`]: each reply counts there until it has been sent.
#[derive(Debug)]
pub(super) struct Outbox {
    socket: Arc<Socket>,
    admission: Arc<Admission>,
    queue: Mutex<Queue>,
}

impl Outbox {
    pub(super) fn new(socket: Arc<Socket>, admission: Arc<Admission>) -> Self {
        Self { socket, admission, queue: Mutex::default() }
    }

    /// Sends `replies`, or leaves them to the thread that is sending; `replies` is left empty.
    ///
    /// When sending fails the connection is ended, and all replies from then on are thrown away.
    pub(super) fn send(&self, replies: &mut Batch) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.someone_sends || queue.failed.is_some() {
            if queue.failed.is_some() {
                self.admission.leave(replies.weight());
                replies.clear();
            } else {
                queue.waiting.append(replies);
            }
            return;
        }
        queue.someone_sends = true;
        // Our own first, in place; then what others have left meanwhile.
        let mut own = std::mem::take(replies);
        while !own.is_empty() {
            drop(queue);
            let sent = self.socket.send_all(&mut own.slices());
            self.admission.leave(own.weight());
            own.clear();
            queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = sent {
                queue.failed = Some(error);
                self.admission.leave(queue.waiting.weight());
                queue.waiting.clear();
                // The receiving side learns of it by the end of its stream.
                self.socket.hang_up();
                break;
            }
            std::mem::swap(&mut own, &mut queue.waiting);
        }
        queue.someone_sends = false;
        *replies = own;
    }

    /// How sending failed, if it did.
    pub(super) fn failure(&self) -> Option<NetError> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).failed
    }
}

impl Outlet for Outbox {
    fn deliver(&self, replies: &mut Batch) {
        self.send(replies);
    }

    fn abandon(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).failed.get_or_insert(NetError::Gone);
        self.admission.open();
        self.socket.hang_up();
    }
}
