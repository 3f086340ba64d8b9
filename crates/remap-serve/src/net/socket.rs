//! One end of a connected stream socket, with or without a deadline. It owns the descriptor and the retrying of
//! interrupted and partial calls.

use std::io::IoSlice;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType, sockopt,
};

/// Why bytes could not be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The deadline passed.
    #[error("no answer in time")]
    Late,
    /// The other side has closed its end.
    #[error("the other side has left")]
    Gone,
    /// The kernel said no.
    #[error("socket: {0}")]
    Os(Errno),
}

impl From<Errno> for NetError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::PIPE | Errno::CONNRESET => Self::Gone,
            errno => Self::Os(errno),
        }
    }
}

/// A connected stream socket. Calls from several threads at once are allowed where the bytes stay in order.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

/// The most pieces that one send takes (`UIO_MAXIOV` in the kernel's `include/uapi/linux/uio.h`).
const MAX_PIECES: usize = 1024;

/// Room for replies in the kernel: with less than two large ones, server and client take turns instead of working
/// at the same time.
const SEND_BUFFER_BYTES: usize = 1 << 20;

impl Socket {
    /// The connection that `descriptor` is, which must be in blocking mode.
    pub(crate) fn new(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    /// Two sockets connected to each other.
    pub(crate) fn pair() -> Result<(Self, Self), NetError> {
        let (one, other) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    /// The descriptor, for something else to use.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.0
    }

    /// What a connection needs to carry requests: room for several large replies, and for TCP no waiting for more
    /// to send, and a peer that is gone noticed after a minute or two.
    pub(crate) fn tune(&self) {
        // The system's limit is for users; a client that is served as one gets what that allows.
        if sockopt::set_socket_send_buffer_size_force(&self.0, SEND_BUFFER_BYTES).is_err() {
            let _ = sockopt::set_socket_send_buffer_size(&self.0, SEND_BUFFER_BYTES);
        }
        let is_tcp = sockopt::socket_domain(&self.0)
            .is_ok_and(|domain| domain == AddressFamily::INET || domain == AddressFamily::INET6);
        if is_tcp {
            // Each is a matter of speed or of noticing late: the connection works without.
            let _ = sockopt::set_tcp_nodelay(&self.0, true);
            let _ = sockopt::set_tcp_keepidle(&self.0, Duration::from_secs(60));
            let _ = sockopt::set_tcp_keepintvl(&self.0, Duration::from_secs(10));
            let _ = sockopt::set_tcp_keepcnt(&self.0, 6);
            let _ = sockopt::set_socket_keepalive(&self.0, true);
        }
    }

    /// Receives at least one byte into `into`, which is not empty; 0 at the end of the stream.
    pub(crate) fn recv(&self, into: &mut [u8]) -> Result<usize, NetError> {
        self.recv_with(into, RecvFlags::empty())
    }

    /// Receives what is there; `None` when nothing is.
    pub(crate) fn recv_now(&self, into: &mut [u8]) -> Result<Option<usize>, NetError> {
        match self.recv_with(into, RecvFlags::DONTWAIT) {
            Err(NetError::Os(Errno::AGAIN)) => Ok(None),
            result => result.map(Some),
        }
    }

    /// As [`recv`](Self::recv), before `deadline` if there is one.
    pub(crate) fn recv_by(&self, into: &mut [u8], deadline: Option<Instant>) -> Result<usize, NetError> {
        loop {
            if let Some(bytes) = self.recv_now(into)? {
                return Ok(bytes);
            }
            self.wait(PollFlags::IN, deadline)?;
        }
    }

    /// Fills `into`; fails when the stream ends before.
    pub(crate) fn recv_exact(&self, mut into: &mut [u8]) -> Result<(), NetError> {
        while !into.is_empty() {
            match self.recv_with(into, RecvFlags::WAITALL)? {
                0 => return Err(NetError::Gone),
                bytes => into = &mut into[bytes..],
            }
        }
        Ok(())
    }

    /// Sends as much as fits; `None` when nothing does.
    pub(crate) fn send_now(&self, bytes: &[u8]) -> Result<Option<usize>, NetError> {
        loop {
            match rustix::net::send(&self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                result => return Ok(Some(result?)),
            }
        }
    }

    /// Sends all of `bytes`, before `deadline` if there is one.
    pub(crate) fn send_by(&self, mut bytes: &[u8], deadline: Option<Instant>) -> Result<(), NetError> {
        while !bytes.is_empty() {
            match self.send_now(bytes)? {
                Some(sent) => bytes = &bytes[sent..],
                None => self.wait(PollFlags::OUT, deadline)?,
            }
        }
        Ok(())
    }

    /// Sends all of `pieces`, one after the other, in as few calls as the kernel allows.
    pub(crate) fn send_all(&self, mut pieces: &mut [IoSlice<'_>]) -> Result<(), NetError> {
        while !pieces.is_empty() {
            let batch = &pieces[..pieces.len().min(MAX_PIECES)];
            let nothing = &mut SendAncillaryBuffer::default();
            match rustix::net::sendmsg(&self.0, batch, nothing, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(sent) => IoSlice::advance_slices(&mut pieces, sent),
            }
        }
        Ok(())
    }

    /// No more is received: whoever waits for bytes sees the end of the stream behind what has arrived.
    pub(crate) fn stop_receiving(&self) {
        self.shut_down(Shutdown::Read);
    }

    /// Tells the other side that nothing more comes.
    pub(crate) fn stop_sending(&self) {
        self.shut_down(Shutdown::Write);
    }

    /// Ends the connection under whoever waits on it.
    pub(crate) fn hang_up(&self) {
        self.shut_down(Shutdown::Both);
    }

    fn shut_down(&self, how: Shutdown) {
        let how = match how {
            Shutdown::Read => rustix::net::Shutdown::Read,
            Shutdown::Write => rustix::net::Shutdown::Write,
            Shutdown::Both => rustix::net::Shutdown::Both,
        };
        // Fails only where the connection is gone already, which is what is wanted.
        let _ = rustix::net::shutdown(&self.0, how);
    }

    fn recv_with(&self, into: &mut [u8], flags: RecvFlags) -> Result<usize, NetError> {
        loop {
            match rustix::net::recv(&self.0, &mut *into, flags) {
                Err(Errno::INTR) => {}
                result => return Ok(result?.1),
            }
        }
    }

    fn wait(&self, events: PollFlags, deadline: Option<Instant>) -> Result<(), NetError> {
        wait_for(&mut [PollFd::new(&self.0, events)], deadline)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of `polled` is ready, before `deadline` if there is one.
pub(crate) fn wait_for(polled: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<(), NetError> {
    loop {
        let left = match deadline {
            None => None,
            Some(deadline) => {
                let left = deadline.checked_duration_since(Instant::now()).ok_or(NetError::Late)?;
                Some(Timespec::try_from(left).map_err(|_| NetError::Late)?)
            }
        };
        match poll(polled, left.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(NetError::Os(errno)),
        }
    }
}

#[cfg(test)]
mod tests;
