//! The answering end of a control socket. It owns who may ask and how many at once; what is answered is in
//! `answer`.

mod answer;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use remap_io::device::RemapDevice;
use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt;

use super::lines::{LineError, Lines, line_of};
use super::{Failure, FailureKind, Request, Response};
use crate::net::socket::wait_for;
use crate::net::{Listener, NetError, Socket, StopSignal};
use crate::server::{ServerError, Serving};

/// Connections at the same time.
const MAX_CONNECTIONS: usize = 32;
/// How long a client may take to receive a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the control socket of a set can do beside asking its device.
pub struct ControlOptions {
    /// Called when a client asks the server to stop; it should return at once.
    pub on_shutdown: Box<dyn Fn() + Send + Sync>,
    /// What is told about the NBD server, if there is one.
    pub serving: Option<Serving>,
}

impl fmt::Debug for ControlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlOptions").finish_non_exhaustive()
    }
}

struct Shared {
    device: Arc<RemapDevice>,
    options: ControlOptions,
    started: Instant,
    stop: StopSignal,
    stopping: AtomicBool,
    connections: Mutex<HashMap<u64, Arc<Socket>>>,
    ended: Condvar,
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Arc<Socket>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A control socket at work. Dropped, it answers nobody any more, except orders that are under way.
pub struct ControlServer {
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// Answers on `listener`, which should be a unix socket, from threads of its own.
    pub fn start(
        listener: Listener,
        device: Arc<RemapDevice>,
        options: ControlOptions,
    ) -> Result<Self, ServerError> {
        let shared = Arc::new(Shared {
            device,
            options,
            started: Instant::now(),
            stop: StopSignal::new()?,
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
            ended: Condvar::new(),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("control accept".into())
                .spawn(move || accept(&shared, &listener))
                .map_err(ServerError::Thread)?
        };
        Ok(Self { shared, accepting: Some(accepting) })
    }

    /// Stops: nobody new is answered, orders under way have `patience` to end. How many have not.
    pub fn shutdown(mut self, patience: Duration) -> usize {
        self.stop();
        let deadline = Instant::now() + patience;
        let mut connections = self.shared.connections();
        while !connections.is_empty() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
            let waited = self.shared.ended.wait_timeout(connections, left);
            connections = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        connections.len()
    }

    fn stop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.stop.give();
        if let Some(accepting) = self.accepting.take() {
            // A panic there would have closed the socket, which is all that is wanted.
            let _ = accepting.join();
        }
        self.shared.connections().values().for_each(|socket| socket.stop_receiving());
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for ControlServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlServer").finish_non_exhaustive()
    }
}

fn accept(shared: &Arc<Shared>, listener: &Listener) {
    let mut number = 0;
    while !shared.stopping.load(Ordering::SeqCst) {
        let mut polled = [PollFd::new(listener, PollFlags::IN), PollFd::new(&shared.stop, PollFlags::IN)];
        let ready = wait_for(&mut polled, None);
        let accepted = if ready.is_ok() && !polled[0].revents().is_empty() {
            listener.accept()
        } else {
            ready.map(|()| None)
        };
        match accepted {
            Ok(Some(socket)) => {
                number += 1;
                admit(shared, number, socket);
            }
            Ok(None) => {}
            // Out of descriptors or memory: later it may go better.
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn admit(shared: &Arc<Shared>, number: u64, socket: Socket) {
    if let Err(message) = check_peer(&socket) {
        refuse(&socket, message);
        return;
    }
    let socket = Arc::new(socket);
    {
        let mut connections = shared.connections();
        if connections.len() >= MAX_CONNECTIONS {
            drop(connections);
            refuse(&socket, "too many connections: try again later");
            return;
        }
        connections.insert(number, Arc::clone(&socket));
    }
    let entry = Entry { shared: Arc::clone(shared), number };
    // Without a thread the connection is closed, and the client told by that.
    let _ = std::thread::Builder::new().name("control".into()).spawn(move || {
        // A client that is gone needs no answer.
        let _ = converse(&entry.shared, &socket);
    });
}

/// The file's mode keeps others out; this keeps them out even where a directory or a service manager was set up
/// more generously.
fn check_peer(socket: &Socket) -> Result<(), &'static str> {
    let peer = sockopt::socket_peercred(socket).map_err(|_| "who you are cannot be told on this socket")?;
    if peer.uid.is_root() || peer.uid == rustix::process::geteuid() {
        Ok(())
    } else {
        Err("only the user who runs the server, and root, may use this socket")
    }
}

fn refuse(socket: &Socket, message: &str) {
    let line = line_of(&Response::Error(Failure::new(FailureKind::Refused, &message)));
    // A short line fits into the buffer of a new connection, or else the client does without.
    let _ = socket.send_now(&line);
}

/// A connection's place among the others, given back however its thread ends.
struct Entry {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.connections().remove(&self.number);
        self.shared.ended.notify_all();
    }
}

fn converse(shared: &Shared, socket: &Socket) -> Result<(), LineError> {
    let mut lines = Lines::default();
    let mut send = |response: &Response| -> Result<(), NetError> {
        socket.send_by(&line_of(response), Some(Instant::now() + PATIENCE))
    };
    loop {
        let line = match lines.next(socket, None) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => {
                if matches!(error, LineError::TooLong) {
                    send(&Response::Error(Failure::new(FailureKind::BadRequest, &error)))?;
                }
                return Err(error);
            }
        };
        let response = match serde_json::from_slice::<Request>(&line) {
            _ if shared.stopping.load(Ordering::SeqCst) => {
                Response::Error(Failure::new(FailureKind::Stopping, &"the server is stopping"))
            }
            Ok(request) => shared.answer(&request, &mut send),
            Err(error) => {
                let message = format!("this is no request: {error}");
                Response::Error(Failure::new(FailureKind::BadRequest, &message))
            }
        };
        send(&response)?;
    }
}
