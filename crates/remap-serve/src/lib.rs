//! Front ends of a set: they turn what arrives on a wire into requests on a device, and answers into bytes.
//! Which sector lives where is not known here.
#![deny(unsafe_code)]

pub mod control;
pub mod nbd;
mod net;
pub mod server;
mod session;
pub mod tls;

pub use net::{Address, AddressError, ListenError, Listener, NetError};
pub use server::{Engine, NbdOptions, NbdServer};
pub use session::SessionError;
