//! The asking end of a control socket, with a limit on every wait. It owns the connection.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::lines::{LineError, Lines, line_of};
use super::{Failure, Request, Response};
use crate::net::{NetError, Socket, unix};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody serves there.
    #[error("{}: no dm-remap server answers there; is the set open?", .0.display())]
    NoServer(PathBuf),
    /// The socket is another user's.
    #[error("{}: only the user who runs the server, and root, may do this", .0.display())]
    NotAllowed(PathBuf),
    /// The connection failed.
    #[error("{}: {source}", path.display())]
    Connection {
        /// The socket.
        path: PathBuf,
        /// How.
        source: LineError,
    },
    /// The other side said something that cannot be understood: another version, perhaps.
    #[error("{}: the answer cannot be understood ({source}); is the server of another version?", path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The server refused or failed.
    #[error("{0}")]
    Failed(#[from] Failure),
}

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    socket: Socket,
    lines: Lines,
    patience: Duration,
}

impl Client {
    /// Connects to the socket at `path`. Whenever no line comes for `patience`, a request fails.
    pub fn connect(path: &Path, patience: Duration) -> Result<Self, ClientError> {
        let socket = unix::connect(path).map_err(|error| match error {
            NetError::Os(Errno::NOENT | Errno::CONNREFUSED) => ClientError::NoServer(path.to_owned()),
            NetError::Os(Errno::ACCESS | Errno::PERM) => ClientError::NotAllowed(path.to_owned()),
            error => ClientError::Connection { path: path.to_owned(), source: error.into() },
        })?;
        Ok(Self { path: path.to_owned(), socket, lines: Lines::default(), patience })
    }

    /// Asks, tells `progress` of blocks done and blocks in all as often as the server does, and gives the
    /// answer, which is none of [`Response::Progress`], [`Response::Working`] and
    /// [`Response::Error`].
    pub fn ask(
        &mut self,
        request: &Request,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Response, ClientError> {
        let deadline = || Some(Instant::now() + self.patience);
        let failed = |source| ClientError::Connection { path: self.path.clone(), source };
        match self.socket.send_by(&line_of(request), deadline()) {
            // A server that will not have us has said why before it left.
            Ok(()) | Err(NetError::Gone) => {}
            Err(error) => return Err(failed(error.into())),
        }
        loop {
            let line = self.lines.next(&self.socket, deadline()).map_err(failed)?;
            let line = line.ok_or_else(|| failed(LineError::Cut))?;
            let response = serde_json::from_slice(&line)
                .map_err(|source| ClientError::Foreign { path: self.path.clone(), source })?;
            match response {
                Response::Progress { done, total } => progress(done, total),
                Response::Working => {}
                Response::Error(failure) => return Err(failure.into()),
                response => return Ok(response),
            }
        }
    }
}

/// Asks one thing of the server at `path`; see [`Client`].
pub fn call(path: &Path, request: &Request, patience: Duration) -> Result<Response, ClientError> {
    Client::connect(path, patience)?.ask(request, |_, _| {})
}

impl ClientError {
    /// Whether this means that no server is running there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::NoServer(_))
    }
}
