//! The server's side of the NBD protocol, without any IO: bytes in, bytes and events out.
//! This module owns the handshake, the checks on requests and the form of replies; it may not open a socket,
//! start a thread, read a clock or touch a disk.
//!
//! A connection starts as a [`Handshake`](handshake::Handshake). Its
//! [`Transmission`](handshake::Event::Transmission) event makes the [`Rules`](request::Rules) under which an
//! [`Intake`](stream::Intake) cuts the rest of the stream into requests, answered through
//! [`ReplyMode`](reply::ReplyMode).
//!
//! Source of every number and rule: the NBD protocol description, `doc/proto.md` of
//! <https://github.com/NetworkBlockDevice/nbd>, called "the specification" below.
#![deny(unsafe_code)]

pub mod context;
pub mod export;
pub mod handshake;
pub mod range;
pub mod reply;
pub mod request;
pub mod stream;
pub mod wire;

#[cfg(test)]
mod any_chunking;
