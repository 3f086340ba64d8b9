//! The NBD server of one device: listeners, sessions, and a stop in good order.
//! It owns who is let in and how many; what is said on a connection is the session's.

mod accept;
mod engine;
mod sessions;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use remap_io::device::RemapDevice;

use crate::nbd::context::ContextSet;
use crate::nbd::export::{BlockSizes, Export, ExportError, Exports};
use crate::nbd::wire::flags::TransmissionFlags;
use crate::net::{Address, ListenError, Listener, NetError, StopSignal};
use crate::session::SessionError;
use crate::tls::TlsPolicy;
use sessions::Sessions;

/// What there is to tell of clients, for a log.
#[derive(Debug)]
pub enum SessionEvent {
    /// Someone has connected. Connections are numbered from 1.
    Connected {
        /// Which connection.
        connection: u64,
        /// Where it came in.
        at: Address,
    },
    /// Someone was turned away because [`NbdOptions::max_connections`] are served already.
    TurnedAway {
        /// Where.
        at: Address,
    },
    /// A connection is over.
    Closed {
        /// Which connection.
        connection: u64,
        /// Why the client was dropped; `None` when it left in good order.
        error: Option<SessionError>,
    },
}

/// How the requests of a connection reach the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// By whichever of the others is faster for the main device, as measured.
    #[default]
    Measured,
    /// By blocking calls from the connection's thread and its workers. Works with every device.
    Blocking,
    /// Through one `io_uring` for each connection, where device and kernel allow; else by blocking calls.
    Ring,
}

/// Who is told of clients. Called on the connections' threads.
pub type SessionSink = Box<dyn Fn(&SessionEvent) + Send + Sync>;

/// How an NBD server behaves.
pub struct NbdOptions {
    /// What clients ask for; the empty name always means this device too. At most 4096 bytes.
    pub export_name: String,
    /// Shown to people by `nbdinfo`; at most 4096 bytes.
    pub description: String,
    /// Whether clients are refused every change.
    pub read_only: bool,
    /// Whether and how connections are encrypted.
    pub tls: TlsPolicy,
    /// Whether other machines may reach the device without proving who they are.
    pub allow_remote: bool,
    /// Connections at the same time; more are turned away.
    pub max_connections: usize,
    /// How long a client may take until it has chosen an export.
    pub handshake_timeout: Duration,
    /// Bytes of requests and replies under way on one connection; a longer request is served alone.
    pub in_flight_bytes: usize,
    /// How the device is asked.
    pub engine: Engine,
    /// Threads of one connection for requests that take long, where it is asked by blocking calls.
    pub workers: usize,
    /// Told of clients that come and go.
    pub events: Option<SessionSink>,
}

impl NbdOptions {
    /// For a device: its name, no TLS, this machine only, 64 connections, 10 s for the handshake, 16 MiB under
    /// way, 8 workers.
    pub fn new(device: &RemapDevice) -> Self {
        Self {
            export_name: device.name().to_owned(),
            description: String::new(),
            read_only: device.is_read_only(),
            tls: TlsPolicy::Off,
            allow_remote: false,
            max_connections: 64,
            handshake_timeout: Duration::from_secs(10),
            in_flight_bytes: 16 << 20,
            engine: Engine::Measured,
            workers: 8,
            events: None,
        }
    }
}

impl fmt::Debug for NbdOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NbdOptions")
            .field("export_name", &self.export_name)
            .field("read_only", &self.read_only)
            .field("tls", &self.tls)
            .field("allow_remote", &self.allow_remote)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Not here.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The device cannot be told to clients.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The system gave no thread.
    #[error("no thread for the server: {0}")]
    Thread(std::io::Error),
    /// The system gave no descriptor.
    #[error("no descriptor for the server: {0}")]
    Descriptor(#[from] NetError),
}

/// What became of the clients when the server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Clients whose requests under way were all answered.
    pub finished: usize,
    /// Clients that were cut off at the deadline.
    pub cut_off: usize,
    /// Sessions that have not ended even so, since the device does not answer them.
    pub stuck: usize,
}

/// What the threads of a server share.
pub(crate) struct Shared {
    pub(crate) device: Arc<RemapDevice>,
    pub(crate) exports: Exports,
    pub(crate) options: NbdOptions,
    pub(crate) sessions: Sessions,
    /// Whether connections ask for an `io_uring`.
    pub(crate) uses_ring: bool,
    stopping: AtomicBool,
    stop: StopSignal,
}

impl Shared {
    /// Whether requests that come now are too late.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn tell(&self, event: &SessionEvent) {
        if let Some(sink) = &self.options.events {
            sink(event);
        }
    }
}

/// What can be told about a server by those who do not own it.
#[derive(Clone)]
pub struct Serving {
    shared: Arc<Shared>,
    addresses: Arc<[Address]>,
}

impl Serving {
    /// Where it listens, in the order of the listeners.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Connections now.
    pub fn connections(&self) -> usize {
        self.shared.sessions.count()
    }

    /// Whether clients get nothing without TLS.
    pub fn requires_tls(&self) -> bool {
        matches!(self.shared.options.tls, TlsPolicy::Required(_))
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// A server at work.
///
/// Dropped without [`shutdown`](Self::shutdown) it stops at once and cuts every client off.
pub struct NbdServer {
    shared: Arc<Shared>,
    addresses: Arc<[Address]>,
    accepting: Option<JoinHandle<()>>,
}

impl NbdServer {
    /// Serves `device` on `listeners`, from threads of its own, until it is shut down.
    ///
    /// The caller closes the device, after the shutdown.
    pub fn start(
        device: Arc<RemapDevice>,
        listeners: Vec<Listener>,
        options: NbdOptions,
    ) -> Result<Self, ServerError> {
        if !options.allow_remote && !options.tls.authenticates() {
            listeners.iter().try_for_each(Listener::ensure_local)?;
        }
        let exports = Exports::new(vec![export_of(&device, &options)])?;
        let addresses = listeners.iter().map(|listener| listener.address().clone()).collect();
        let uses_ring = engine::uses_ring(options.engine, &device);
        let shared = Arc::new(Shared {
            device,
            exports,
            options,
            sessions: Sessions::default(),
            uses_ring,
            stopping: AtomicBool::new(false),
            stop: StopSignal::new()?,
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("nbd accept".into())
                .spawn(move || accept::accept(&shared, &listeners))
                .map_err(ServerError::Thread)?
        };
        Ok(Self { shared, addresses, accepting: Some(accepting) })
    }

    /// Where it listens, in the order of the listeners.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Connections now.
    pub fn connections(&self) -> usize {
        self.shared.sessions.count()
    }

    /// For a control socket to tell from.
    pub fn serving(&self) -> Serving {
        Serving { shared: Arc::clone(&self.shared), addresses: Arc::clone(&self.addresses) }
    }

    /// Stops in good order: no client is accepted any more, requests under way are finished and answered, those
    /// that come meanwhile get `NBD_ESHUTDOWN`, and the connections are closed. After `patience` they are cut off.
    ///
    /// The caller closes the device afterwards.
    pub fn shutdown(mut self, patience: Duration) -> Stopped {
        self.stop_accepting();
        let clients = self.shared.sessions.wind_down();
        let left = self.shared.sessions.wait_until_empty(Instant::now() + patience);
        self.shared.sessions.hang_up();
        // What is cut off has nothing to wait for but the device.
        let stuck = self.shared.sessions.wait_until_empty(Instant::now() + Duration::from_secs(3));
        Stopped { finished: clients.saturating_sub(left), cut_off: left - stuck.min(left), stuck }
    }

    fn stop_accepting(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.stop.give();
        if let Some(accepting) = self.accepting.take() {
            // A panic there would have left the sockets closed, which is all that is wanted.
            let _ = accepting.join();
        }
    }
}

impl Drop for NbdServer {
    fn drop(&mut self) {
        self.stop_accepting();
        self.shared.sessions.hang_up();
    }
}

impl fmt::Debug for NbdServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NbdServer").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// What clients are told of the device.
fn export_of(device: &RemapDevice, options: &NbdOptions) -> Export {
    // A flush reaches every member, so one on any connection covers what all have been answered.
    let mut flags = TransmissionFlags::FLUSH
        | TransmissionFlags::FUA
        | TransmissionFlags::TRIM
        | TransmissionFlags::WRITE_ZEROES
        | TransmissionFlags::MULTI_CONN;
    if options.read_only || device.is_read_only() {
        flags = flags | TransmissionFlags::READ_ONLY;
    }
    let minimum = device.logical_bytes();
    Export {
        name: options.export_name.clone(),
        description: options.description.clone(),
        bytes: device.sectors() << 9,
        flags,
        blocks: BlockSizes {
            minimum,
            preferred: BlockSizes::DEFAULT.preferred.max(device.physical_bytes()).min(1 << 20),
            maximum: BlockSizes::DEFAULT.maximum,
        },
        contexts: ContextSet::ALL,
    }
}
