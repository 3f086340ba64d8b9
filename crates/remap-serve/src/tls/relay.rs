//! Between the TLS of a client and the plain bytes of a session: one thread that moves both ways.
//! It owns the client's socket and one end of a socket pair; the session has the other end and needs to know
//! nothing of TLS.
//!
//! Neither direction holds more than a fixed amount: a side that does not take its bytes is not read for.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustls::{ServerConfig, ServerConnection};

use crate::net::socket::wait_for;
use crate::net::{NetError, Socket};

/// The most bytes that wait in one direction.
const BUFFER_BYTES: usize = 256 << 10;

/// How long a client has to take what is left for it once the session is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// Starts TLS on `client`, whose stream begins with the bytes `first`. The plain text is on the socket that is
/// given back; closing or hanging up that socket ends the connection, and so does a client that fails.
pub(crate) fn start(
    config: &Arc<ServerConfig>,
    client: Arc<Socket>,
    first: Vec<u8>,
) -> io::Result<(Socket, JoinHandle<()>)> {
    let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    tls.set_buffer_limit(Some(BUFFER_BYTES));
    let (session, inner) = Socket::pair().map_err(io::Error::other)?;
    let (client, inner) = (Side::new(client), Side::new(Arc::new(inner)));
    let relay = Relay { tls, client, session: inner, plain: Vec::new() };
    let thread = std::thread::Builder::new().name("nbd tls".into()).spawn(move || relay.run(&first))?;
    Ok((session, thread))
}

struct Relay {
    tls: ServerConnection,
    client: Side,
    session: Side,
    /// Plain text from the client that the session has not taken.
    plain: Vec<u8>,
}

struct Side {
    socket: Arc<Socket>,
    /// The end of what it sends has been read.
    left: bool,
    /// Neither direction works any more, though there may be something left to read.
    hung_up: bool,
}

impl Side {
    fn new(socket: Arc<Socket>) -> Self {
        Self { socket, left: false, hung_up: false }
    }
}

impl Relay {
    fn run(mut self, first: &[u8]) {
        // However it ends, both sockets close, and both sides learn of it.
        let _ = self.take(first).and_then(|()| self.relay());
        self.client.socket.hang_up();
        self.session.socket.hang_up();
    }

    fn relay(&mut self) -> io::Result<()> {
        let mut farewell = None;
        let mut chunk = vec![0; 64 << 10].into_boxed_slice();
        loop {
            self.give_plain()?;
            self.give_encrypted()?;
            let busy = self.tls.wants_write();
            if self.session.left && !busy {
                return Ok(());
            }
            if farewell.is_none() && (self.session.left || self.session.hung_up) {
                farewell = Some(Instant::now() + FAREWELL);
            }
            self.wait(busy, farewell)?;
            if !self.client.left && self.plain.is_empty() {
                match self.client.socket.recv_now(&mut chunk).map_err(io::Error::other)? {
                    None => {}
                    Some(0) => self.client_leaves(),
                    Some(bytes) => self.take(&chunk[..bytes])?,
                }
            }
            if !self.session.left && !busy && !self.tls.is_handshaking() {
                match self.session.socket.recv_now(&mut chunk).map_err(io::Error::other)? {
                    None => {}
                    Some(0) => {
                        self.session.left = true;
                        self.tls.send_close_notify();
                    }
                    Some(bytes) => self.tls.writer().write_all(&chunk[..bytes])?,
                }
            }
        }
    }

    /// Waits until something can be done.
    fn wait(&mut self, busy: bool, deadline: Option<Instant>) -> io::Result<()> {
        let mut on_client = PollFlags::empty();
        let mut on_session = PollFlags::empty();
        on_client.set(PollFlags::OUT, busy);
        on_client.set(PollFlags::IN, !self.client.left && self.plain.is_empty());
        on_session.set(PollFlags::OUT, !self.plain.is_empty());
        // Before the handshake is over nothing comes from the session but its end.
        on_session.set(PollFlags::IN, !self.session.left && !busy && !self.tls.is_handshaking());
        // A hang-up is told unasked, again and again: once it is known, only what is wanted is asked for.
        let asked = |socket, wanted: PollFlags, known: bool| {
            (!known || !wanted.is_empty()).then(|| PollFd::from_borrowed_fd(socket, wanted))
        };
        let client = asked(self.client.socket.as_fd(), on_client, self.client.hung_up);
        let inner = asked(self.session.socket.as_fd(), on_session, self.session.hung_up);
        let asks_client = client.is_some();
        let mut polled: Vec<PollFd<'_>> = client.into_iter().chain(inner).collect();
        wait_for(&mut polled, deadline).map_err(io::Error::other)?;
        let mut hung_up =
            polled.iter().map(|polled| polled.revents().intersects(PollFlags::HUP | PollFlags::ERR));
        let client_hung_up = asks_client && hung_up.next().unwrap_or(false);
        let inner_hung_up = hung_up.next().unwrap_or(false);
        self.client.hung_up |= client_hung_up;
        self.session.hung_up |= inner_hung_up;
        if self.session.hung_up && self.tls.is_handshaking() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Decrypts bytes from the client.
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.tls.read_tls(&mut bytes)?;
            let state = self.tls.process_new_packets().map_err(|error| {
                // The client is told why, if it is still there to hear.
                let _ = self.give_encrypted();
                io::Error::other(error)
            })?;
            let start = self.plain.len();
            self.plain.resize(start + state.plaintext_bytes_to_read(), 0);
            self.tls.reader().read_exact(&mut self.plain[start..])?;
            if state.peer_has_closed() {
                self.client_leaves();
                break;
            }
        }
        Ok(())
    }

    fn client_leaves(&mut self) {
        self.client.left = true;
        if self.plain.is_empty() {
            self.session.socket.stop_sending();
        }
    }

    fn give_plain(&mut self) -> io::Result<()> {
        while !self.plain.is_empty() {
            match self.session.socket.send_now(&self.plain) {
                Ok(Some(sent)) => drop(self.plain.drain(..sent)),
                Ok(None) => return Ok(()),
                Err(NetError::Gone) => {
                    // The session has closed; the end of its stream comes next.
                    self.plain.clear();
                    self.client.left = true;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
            if self.plain.is_empty() && self.client.left {
                self.session.socket.stop_sending();
            }
        }
        Ok(())
    }

    fn give_encrypted(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut NonBlocking(&self.client.socket)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                result => result?,
            };
        }
        Ok(())
    }
}

/// A socket as rustls writes to it.
struct NonBlocking<'s>(&'s Socket);

impl Write for NonBlocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.send_now(bytes) {
            Ok(Some(sent)) => Ok(sent),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
