//! What the handshake answers, option by option, and when it drops a client.

mod client;
mod contexts;
mod exports;
mod refusals;
mod tls;
