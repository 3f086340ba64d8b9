//! One client's connection, from the greeting to the last reply.
//! It owns the order of things: handshake, then requests until someone leaves. How requests are carried out is
//! in the engines; how bytes look is in `nbd`.

mod admission;
mod batch;
mod blocking;
pub(crate) mod handle;
mod negotiate;
mod outbox;
mod pace;
mod perform;
mod pool;
mod ring;
mod workers;

use std::sync::Arc;

use remap_io::ring::RingQueue;

use crate::nbd::context::ContextSet;
use crate::nbd::handshake::HandshakeError;
use crate::nbd::reply::ReplyMode;
use crate::nbd::request::{RequestError, Rules};
use crate::net::{NetError, Socket};
use crate::server::Shared;
use handle::Handle;

/// What the handshake came to, as far as serving requests is concerned.
#[derive(Debug)]
struct Agreed {
    /// The client's plain text.
    socket: Arc<Socket>,
    /// What it may ask.
    rules: Rules,
    mode: ReplyMode,
    contexts: ContextSet,
    /// Bytes that came with the end of the handshake.
    first: Vec<u8>,
}

/// Why a client was dropped. A client that leaves in good order is no error.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// It did not keep to the handshake.
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    /// It sent something that is no request.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// The handshake took too long.
    #[error("the client did not finish its handshake in time")]
    HandshakeLate,
    /// It left without a word, perhaps in the middle of one.
    #[error("the client left in the middle of a message")]
    Vanished,
    /// The server stopped before the client left.
    #[error("the server is stopping")]
    Stopping,
    /// The socket failed.
    #[error("{0}")]
    Net(NetError),
    /// The system gave no thread or socket.
    #[error("no thread or socket for the connection: {0}")]
    Resources(std::io::Error),
}

impl From<NetError> for SessionError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Gone => Self::Vanished,
            error => Self::Net(error),
        }
    }
}

/// Serves the client on `socket` until it leaves or is dropped.
pub(crate) fn serve(shared: &Arc<Shared>, handle: &Handle) -> Result<(), SessionError> {
    let Some(agreed) = negotiate::negotiate(shared, handle)? else { return Ok(()) };
    handle.transmission_begins();
    if shared.uses_ring
        && let Ok(Some(queue)) = RingQueue::new(&shared.device, ring::DEPTH)
    {
        return ring::serve(shared, &agreed, queue);
    }
    blocking::serve(shared, agreed)
}
