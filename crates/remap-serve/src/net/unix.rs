//! Unix sockets in the filesystem: private from the start, and gone with their server.
//! It owns the file; a socket that somebody still answers on is never touched.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::listener::ListenError;
use super::socket::{NetError, Socket};

/// How many clients may wait to be accepted.
pub(super) const BACKLOG: i32 = 64;

/// A socket file that is removed when its server is done with it, unless it has been replaced.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode number: which file it was.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path) == Some(self.identity) {
            // It may have vanished just now, which is what is wanted.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.symlink_metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn stream_socket() -> Result<OwnedFd, Errno> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// Connects to the socket at `path`.
pub(crate) fn connect(path: &Path) -> Result<Socket, NetError> {
    let socket = stream_socket()?;
    let address = SocketAddrUnix::new(path)?;
    loop {
        match rustix::net::connect(&socket, &address) {
            Err(Errno::INTR) => {}
            connected => return connected.map(|()| Socket::new(socket)).map_err(NetError::from),
        }
    }
}

/// Listens at `path`, where only this user and root may connect. What a server that has died left there is
/// replaced.
pub(super) fn listen(path: &Path) -> Result<(OwnedFd, SocketFile), ListenError> {
    let failed = |errno: Errno| ListenError::Unix { path: path.to_owned(), source: errno.into() };
    let address = SocketAddrUnix::new(path).map_err(|errno| match errno {
        Errno::NAMETOOLONG => ListenError::PathTooLong(path.to_owned()),
        errno => failed(errno),
    })?;
    let socket = stream_socket().map_err(failed)?;
    // The file takes its mode from the socket, less the umask (`unix_bind_bsd` in the kernel's
    // net/unix/af_unix.c), so there is no moment at which others could connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    match rustix::net::bind(&socket, &address) {
        Err(Errno::ADDRINUSE) => {
            remove_stale(path)?;
            rustix::net::bind(&socket, &address).map_err(|errno| match errno {
                Errno::ADDRINUSE => ListenError::InUse(path.to_owned()),
                errno => failed(errno),
            })?;
        }
        result => result.map_err(failed)?,
    }
    let identity = identity(path).ok_or_else(|| failed(Errno::NOENT))?;
    let file = SocketFile { path: path.to_owned(), identity };
    rustix::net::listen(&socket, BACKLOG).map_err(failed)?;
    Ok((socket, file))
}

/// Removes the socket at `path` if nobody listens on it.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let is_socket = path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
    if !is_socket {
        return Err(ListenError::NotASocket(path.to_owned()));
    }
    match connect(path) {
        Err(NetError::Os(Errno::CONNREFUSED)) => {
            std::fs::remove_file(path).map_err(|source| ListenError::Unix { path: path.to_owned(), source })
        }
        // Whatever else keeps us from connecting, somebody may be there.
        _ => Err(ListenError::InUse(path.to_owned())),
    }
}
