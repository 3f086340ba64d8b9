//! Stream sockets: where a server listens, and what a connection is to the code that serves it.
//! It owns every system call on a socket; it may not know what is said on one.

pub(crate) mod address;
pub(crate) mod listener;
pub(crate) mod socket;
pub(crate) mod stop;
pub(crate) mod unix;

pub use address::{Address, AddressError};
pub use listener::{ListenError, Listener};
pub use socket::NetError;
pub(crate) use socket::Socket;
pub(crate) use stop::StopSignal;
