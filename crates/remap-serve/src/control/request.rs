//! What can be asked of a running set. It owns the words of the wire; nothing here does anything.

use serde::{Deserialize, Serialize};

/// The most mappings in one answer to [`Request::Mappings`].
pub const MAX_MAPPINGS: u32 = 4096;

/// One question or order. Places and lengths are in sectors of 512 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Everything that is known at a glance: [`Response::Status`](super::Response::Status).
    Status,
    /// The health figure and what it is made of: [`Response::Health`](super::Response::Health).
    Health,
    /// The spares, one by one: [`Response::Spares`](super::Response::Spares).
    Spares,
    /// What is mapped, in the order of the slots: [`Response::Mappings`](super::Response::Mappings).
    Mappings {
        /// The first slot of interest; 0, or what the last answer said comes next.
        from_slot: u32,
        /// How many mappings at most: 1 to [`MAX_MAPPINGS`]; more is cut to that.
        limit: u32,
    },
    /// Work over a range, with progress on the way: [`Response::Ordered`](super::Response::Ordered).
    Order {
        /// What to do.
        order: Order,
        /// The first sector.
        start_sector: u64,
        /// How many sectors; at least 1.
        sectors: u64,
    },
    /// Carries everything that lies on a spare to the others, so that it can be removed:
    /// [`Response::Done`](super::Response::Done), when it is empty.
    Evacuate {
        /// The spare's number, as [`Request::Spares`] counts them, from 0.
        spare: usize,
    },
    /// Starts a surface scan; an error when one is running. [`Response::Scrub`](super::Response::Scrub).
    ScrubStart {
        /// Bytes a second at most; 0 is without limit.
        rate_bytes_per_s: u64,
    },
    /// Stops the surface scan: [`Response::Scrub`](super::Response::Scrub).
    ScrubStop,
    /// Where the surface scan is: [`Response::Scrub`](super::Response::Scrub).
    ScrubStatus,
    /// Reads every copy of the metadata and repairs damaged ones: [`Response::Metadata`](super::Response::Metadata).
    VerifyMetadata,
    /// Tries whether a *failing* main device answers again: [`Response::State`](super::Response::State).
    Probe,
    /// Takes a *failing* set back into service on the operator's word: [`Response::State`](super::Response::State).
    Resume,
    /// Stops the server in good order: [`Response::Done`](super::Response::Done), before it has stopped.
    Shutdown,
}

/// Work over a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Moves sectors to a spare before they fail.
    Remap,
    /// Writes zeros in place of lost sectors.
    AcceptLoss,
    /// Reads lost sectors from the main device again and keeps what answers.
    Retry {
        /// How often each is tried.
        attempts: u32,
    },
    /// Writes moved blocks back to the main device and frees their slots.
    Unmap,
}

#[cfg(test)]
mod tests;
