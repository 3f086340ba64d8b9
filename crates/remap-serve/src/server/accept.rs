//! Letting clients in: one thread that waits on all listeners, and starts a thread for each client.

use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::{SessionEvent, Shared};
use crate::net::socket::wait_for;
use crate::net::{Listener, Socket};
use crate::session::handle::Handle;
use crate::session::{self, SessionError};

/// Accepts clients until the server stops. The listeners close with the thread.
pub(super) fn accept(shared: &Arc<Shared>, listeners: &[Listener]) {
    while !shared.is_stopping() {
        let mut polled: Vec<_> =
            listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)).collect();
        polled.push(PollFd::new(&shared.stop, PollFlags::IN));
        if wait_for(&mut polled, None).is_err() {
            // Out of memory, perhaps: later it may go better.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        for (listener, polled) in listeners.iter().zip(&polled) {
            if polled.revents().is_empty() || shared.is_stopping() {
                continue;
            }
            match listener.accept() {
                Ok(Some(socket)) => admit(shared, listener, socket),
                Ok(None) => {}
                // No descriptors are left; the client waits, and so do we.
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

fn admit(shared: &Arc<Shared>, listener: &Listener, socket: Socket) {
    let at = listener.address().clone();
    let handle = Arc::new(Handle::new(socket));
    let Some(connection) = shared.sessions.enter(shared.options.max_connections, &handle) else {
        shared.tell(&SessionEvent::TurnedAway { at });
        return;
    };
    let entry = Entry { shared: Arc::clone(shared), connection };
    shared.tell(&SessionEvent::Connected { connection, at });
    let spawned = std::thread::Builder::new().name(format!("nbd {connection}")).spawn(move || {
        let error = session::serve(&entry.shared, &handle).err();
        handle.finish();
        entry.shared.tell(&SessionEvent::Closed { connection, error });
    });
    if let Err(error) = spawned {
        let error = Some(SessionError::Resources(error));
        shared.tell(&SessionEvent::Closed { connection, error });
    }
}

/// A session's place among the running ones, given back however the session ends.
struct Entry {
    shared: Arc<Shared>,
    connection: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.sessions.leave(self.connection);
    }
}
