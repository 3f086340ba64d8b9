//! What the server holds of a session that runs in its own thread: the means to stop it.
//! It owns which socket that is, since TLS puts another one in place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::net::Socket;

/// See the module.
#[derive(Debug)]
pub(crate) struct Handle {
    socket: Mutex<Arc<Socket>>,
    /// The thread that moves bytes between the client and the session's socket, where there is one.
    relay: Mutex<Option<JoinHandle<()>>>,
    in_transmission: AtomicBool,
}

impl Handle {
    /// The handle of a session that begins on `socket`.
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket: Mutex::new(Arc::new(socket)),
            relay: Mutex::default(),
            in_transmission: AtomicBool::new(false),
        }
    }

    /// The socket in use.
    pub(crate) fn socket(&self) -> Arc<Socket> {
        Arc::clone(&self.socket.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The session goes on with `socket`, and `relay` moves bytes between it and the client. The session has to
    /// look again whether the server is stopping.
    pub(crate) fn put_between(&self, socket: Arc<Socket>, relay: JoinHandle<()>) {
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = socket;
        *self.relay.lock().unwrap_or_else(PoisonError::into_inner) = Some(relay);
    }

    /// Closes the connection; what has been sent still reaches a client that takes it soon.
    pub(crate) fn finish(&self) {
        self.hang_up();
        let relay = self.relay.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(relay) = relay {
            // A panic there has closed the connection already.
            let _ = relay.join();
        }
    }

    /// The handshake is over.
    pub(crate) fn transmission_begins(&self) {
        self.in_transmission.store(true, Ordering::Relaxed);
    }

    /// Whether the handshake is over.
    pub(crate) fn is_in_transmission(&self) -> bool {
        self.in_transmission.load(Ordering::Relaxed)
    }

    /// Lets the session finish what it has begun.
    pub(crate) fn wind_down(&self) {
        self.socket().stop_receiving();
    }

    /// Ends the session where it stands.
    pub(crate) fn hang_up(&self) {
        self.socket().hang_up();
    }
}
