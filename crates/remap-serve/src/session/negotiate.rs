//! Driving the handshake over a socket, before a deadline, with TLS put in between when the client asks.
//! It owns the deadline; what is answered is decided in `nbd::handshake`.

use std::sync::Arc;
use std::time::Instant;

use super::handle::Handle;
use super::{Agreed, SessionError};
use crate::nbd::handshake::{Event, Handshake, HandshakeError};
use crate::nbd::reply::ReplyMode;
use crate::nbd::request::Rules;
use crate::net::{NetError, Socket};
use crate::server::Shared;
use crate::tls::relay;

/// Comes to an agreement with the client; `None` when it takes its leave before.
pub(super) fn negotiate(shared: &Shared, handle: &Handle) -> Result<Option<Agreed>, SessionError> {
    let deadline = Some(Instant::now() + shared.options.handshake_timeout);
    let mut socket = handle.socket();
    let mut handshake = Handshake::new(&shared.exports, shared.options.tls.mode());
    send_output(&mut handshake, &socket, deadline)?;
    let mut buffer = vec![0; 4096];
    let mut filled = 0;
    loop {
        if shared.is_stopping() {
            handshake.shut_down();
        }
        let received = handshake.receive(&buffer[..filled]);
        // Answers to what came before an error are due all the same.
        send_output(&mut handshake, &socket, deadline)?;
        let progress = received?;
        buffer.copy_within(progress.consumed..filled, 0);
        filled -= progress.consumed;
        match progress.event {
            Some(Event::Aborted) => return Ok(None),
            Some(Event::StartTls) => {
                let first = buffer[..filled].to_vec();
                filled = 0;
                socket = start_tls(shared, handle, socket, first)?;
                handshake.tls_established();
            }
            Some(Event::Transmission(agreed)) => {
                let export = &shared.exports.as_slice()[agreed.export];
                return Ok(Some(Agreed {
                    socket,
                    rules: Rules::new(export, &agreed),
                    mode: ReplyMode::new(agreed.structured_replies),
                    contexts: agreed.contexts,
                    first: buffer[..filled].to_vec(),
                }));
            }
            None if progress.consumed > 0 && filled > 0 => {}
            None => {
                // All that was received is used up.
                match socket.recv_by(&mut buffer[filled..], deadline).map_err(late)? {
                    0 if shared.is_stopping() => return Err(HandshakeError::ShuttingDown.into()),
                    0 => return Err(SessionError::Vanished),
                    bytes => filled += bytes,
                }
            }
        }
    }
}

fn send_output(
    handshake: &mut Handshake<'_>,
    socket: &Socket,
    deadline: Option<Instant>,
) -> Result<(), SessionError> {
    let bytes = handshake.output().len();
    socket.send_by(handshake.output(), deadline).map_err(late)?;
    handshake.output_sent(bytes);
    Ok(())
}

fn start_tls(
    shared: &Shared,
    handle: &Handle,
    client: Arc<Socket>,
    first: Vec<u8>,
) -> Result<Arc<Socket>, SessionError> {
    let config = shared.options.tls.config().expect("the handshake offers TLS only where it is configured");
    let (plain, relay) = relay::start(&config.server, client, first).map_err(SessionError::Resources)?;
    let plain = Arc::new(plain);
    handle.put_between(Arc::clone(&plain), relay);
    if shared.is_stopping() {
        plain.stop_receiving();
    }
    Ok(plain)
}

fn late(error: NetError) -> SessionError {
    match error {
        NetError::Late => SessionError::HandshakeLate,
        error => error.into(),
    }
}
