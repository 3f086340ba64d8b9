//! How questions and orders are answered. It owns the words of the wire for facts, which the device states in
//! its own types.

use serde::{Deserialize, Serialize};

pub use super::status::{Health, Mapping, Metadata, Scrub, Spare, Status};

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response {
    /// How far an order is; more lines follow. At most some ten of them a second.
    Progress {
        /// Blocks dealt with.
        done: u64,
        /// Blocks in all.
        total: u64,
    },
    /// The request is being carried out; more lines follow. Comes every two seconds while there is nothing else
    /// to tell, so that a client knows a server that works from one that is gone.
    Working,
    /// To [`Request::Status`](super::Request::Status).
    Status(Box<Status>),
    /// To [`Request::Health`](super::Request::Health).
    Health(Health),
    /// To [`Request::Spares`](super::Request::Spares).
    Spares {
        /// In the order in which they are filled.
        spares: Vec<Spare>,
    },
    /// To [`Request::Mappings`](super::Request::Mappings).
    Mappings {
        /// In the order of their slots.
        mappings: Vec<Mapping>,
        /// From where to ask for more; none when these were the last.
        next_slot: Option<u32>,
    },
    /// To [`Request::Order`](super::Request::Order), when it is over.
    Ordered {
        /// Blocks that were dealt with, those that needed nothing included.
        blocks_done: u64,
        /// Blocks, or runs of them, for which it failed.
        failed: u64,
        /// The first of those, at most [`MAX_FAILURES`].
        failures: Vec<FailedRange>,
    },
    /// To the requests about surface scans.
    Scrub(Scrub),
    /// To [`Request::VerifyMetadata`](super::Request::VerifyMetadata).
    Metadata(Metadata),
    /// To [`Request::Probe`](super::Request::Probe) and [`Request::Resume`](super::Request::Resume).
    State {
        /// `active`, `failing` or `read-only`.
        state: String,
        /// Whether the main device answered a probe, where that was the request.
        answers: Option<bool>,
    },
    /// It is done, and there is nothing to tell.
    Done,
    /// It was not done.
    Error(Failure),
}

/// The most failures listed in one answer.
pub const MAX_FAILURES: usize = 1000;

/// Where an order failed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRange {
    /// The first sector.
    pub start_sector: u64,
    /// How many.
    pub sectors: u64,
    /// In words.
    pub message: String,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind, for programs.
    pub kind: FailureKind,
    /// In words, for people.
    pub message: String,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The line was no request; the connection ends when it was too long.
    BadRequest,
    /// The device refused or failed.
    Device,
    /// The server is stopping.
    Stopping,
    /// The peer may not use this socket, or too many do.
    Refused,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: &impl ToString) -> Self {
        Self { kind, message: message.to_string() }
    }
}
