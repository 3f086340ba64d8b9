//! Where a server can be reached, as text and as a URI for clients. It owns the syntax.

use std::fmt;
use std::fmt::Write as _;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a server listens: `unix:PATH` or `tcp:HOST:PORT`.
///
/// An address that is not written as text was inherited with a socket whose name cannot be known
/// ([`Address::Unnamed`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket in the filesystem.
    Unix(PathBuf),
    /// An address and port.
    Tcp(SocketAddr),
    /// A socket that was inherited and has no name that clients could use.
    Unnamed,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `unix:` nor `tcp:`, or nothing behind it.
    #[error("`{0}` is no address: give unix:PATH or tcp:HOST:PORT")]
    Syntax(String),
    /// The host has no address.
    #[error("`{0}`: the host has no address; give a number such as 127.0.0.1 or [::1]")]
    NoSuchHost(String),
}

impl Address {
    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) | Self::Unnamed => true,
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
        }
    }

    /// What NBD clients are given to reach `export` here, by the NBD project's `doc/uri.md`; `None` without a
    /// name. `tls` chooses the scheme that insists on it.
    pub fn uri(&self, export: &str, tls: bool) -> Option<String> {
        let s = if tls { "s" } else { "" };
        match self {
            Self::Unix(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                Some(format!("nbd{s}+unix:///{}?socket={}", escaped(export), escaped_path(&path)))
            }
            Self::Tcp(address) => Some(format!("nbd{s}://{address}/{}", escaped(export))),
            Self::Unnamed => None,
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let syntax = || AddressError::Syntax(text.to_owned());
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp", host)) => {
                if !host
                    .rsplit_once(':')
                    .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
                {
                    return Err(syntax());
                }
                let found = host.to_socket_addrs().ok().and_then(|mut all| all.next());
                found.map(Self::Tcp).ok_or_else(|| AddressError::NoSuchHost(text.to_owned()))
            }
            _ => Err(syntax()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Unnamed => f.write_str("an inherited socket"),
        }
    }
}

fn escaped_path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    escaped_bytes(path.as_os_str().as_bytes())
}

fn escaped(text: &str) -> String {
    escaped_bytes(text.as_bytes())
}

/// Percent-encodes all but the unreserved characters of RFC 3986, section 2.3, and the slash.
fn escaped_bytes(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes all that is written to it");
        }
    }
    out
}

#[cfg(test)]
mod tests;
