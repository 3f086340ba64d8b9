//! Sockets that clients connect to: unix, TCP, or inherited from a service manager. It owns where they are and
//! who may reach them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{SocketFlags, sockopt};

use super::address::Address;
use super::unix::{self, SocketFile};
use super::{NetError, Socket};

/// Why a server cannot listen somewhere.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another server answers at this path.
    #[error("{}: another server is listening there; stop it or choose another path", .0.display())]
    InUse(PathBuf),
    /// Something that is no socket lies at this path.
    #[error("{}: something that is no socket is there; remove it or choose another path", .0.display())]
    NotASocket(PathBuf),
    /// Longer than the kernel takes.
    #[error("{}: a socket's path has at most 107 bytes; choose a shorter one", .0.display())]
    PathTooLong(PathBuf),
    /// The kernel refused the path.
    #[error("cannot listen at {}: {source}", path.display())]
    Unix {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused the address.
    #[error("cannot listen at tcp:{address}: {source}")]
    Tcp {
        /// Where.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Other machines could reach the device, and nothing was said that they may.
    #[error(
        "tcp:{0} can be reached from other machines, and whoever reaches it can read and write the device: listen \
         on a loopback address, require TLS with client certificates, or allow remote clients explicitly"
    )]
    Remote(SocketAddr),
    /// An inherited descriptor is no listening stream socket.
    #[error("the inherited descriptor is no listening unix or TCP socket")]
    NotListening,
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    descriptor: OwnedFd,
    address: Address,
    /// Removes the socket's file, where there is one and it is ours.
    _file: Option<SocketFile>,
}

impl Listener {
    /// Listens at `address`, which is not [`Address::Unnamed`].
    ///
    /// A unix socket has mode 0600 from the start; one left by a dead server is replaced, and its file is
    /// removed with the listener. TCP port 0 lets the kernel choose one.
    pub fn bind(address: &Address) -> Result<Self, ListenError> {
        match address {
            Address::Unix(path) => Self::unix(path),
            Address::Tcp(address) => Self::tcp(*address),
            Address::Unnamed => Err(ListenError::NotListening),
        }
    }

    /// Takes a socket that already listens, as a service manager hands over.
    pub fn inherited(descriptor: OwnedFd) -> Result<Self, ListenError> {
        use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix};
        if !sockopt::socket_acceptconn(&descriptor).unwrap_or(false) {
            return Err(ListenError::NotListening);
        }
        let name: SocketAddrAny =
            rustix::net::getsockname(&descriptor).map_err(|_| ListenError::NotListening)?;
        let address = match name.address_family() {
            AddressFamily::UNIX => {
                use std::os::unix::ffi::OsStrExt;
                let name = SocketAddrUnix::try_from(name).ok();
                let path = name.as_ref().and_then(SocketAddrUnix::path_bytes);
                path.map_or(Address::Unnamed, |path| Address::Unix(std::ffi::OsStr::from_bytes(path).into()))
            }
            _ => Address::Tcp(SocketAddr::try_from(name).map_err(|_| ListenError::NotListening)?),
        };
        Self::new(descriptor, address, None)
    }

    /// Where it listens: for TCP with the port that was chosen.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Fails unless only this machine can reach it.
    pub(crate) fn ensure_local(&self) -> Result<(), ListenError> {
        match self.address {
            Address::Tcp(address) if !self.address.is_local() => Err(ListenError::Remote(address)),
            _ => Ok(()),
        }
    }

    /// The next client; `None` when it has left already. To be called when the descriptor is readable.
    pub(crate) fn accept(&self) -> Result<Option<Socket>, NetError> {
        match rustix::net::accept_with(&self.descriptor, SocketFlags::CLOEXEC) {
            Ok(descriptor) => {
                let socket = Socket::new(descriptor);
                socket.tune();
                Ok(Some(socket))
            }
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::PERM) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    fn unix(path: &Path) -> Result<Self, ListenError> {
        let (descriptor, file) = unix::listen(path)?;
        Self::new(descriptor, Address::Unix(path.to_owned()), Some(file))
    }

    fn tcp(address: SocketAddr) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Tcp { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Self::new(listener.into(), Address::Tcp(address), None)
    }

    fn new(descriptor: OwnedFd, address: Address, file: Option<SocketFile>) -> Result<Self, ListenError> {
        // Whoever else has the socket may take the client that a poll told of: that must not block.
        rustix::io::ioctl_fionbio(&descriptor, true).map_err(|_| ListenError::NotListening)?;
        Ok(Self { descriptor, address, _file: file })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
