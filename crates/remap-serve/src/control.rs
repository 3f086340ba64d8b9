//! The control socket of a running set: what can be asked, how it is answered, and both ends of it.
//! It owns the messages and the lines they travel in; what an order does to a set, the device knows.
//!
//! The socket is a unix socket of mode 0600. Each side sends lines of JSON, at most [`MAX_LINE_BYTES`] long.
//! A line from the client is a [`Request`]; it is answered by any number of [`Response::Progress`] and
//! [`Response::Working`] lines and then one line of another kind. A connection carries any number of requests, one after the other.

pub mod client;
mod lines;
pub mod request;
pub mod response;
pub mod server;
pub mod status;

pub use client::{Client, ClientError, call};
pub use lines::{LineError, MAX_LINE_BYTES};
pub use request::{Order, Request};
pub use response::{Failure, FailureKind, Response};
pub use server::{ControlOptions, ControlServer};
pub use status::Status;
