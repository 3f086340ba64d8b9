//! Jobs: the failed requests and operator's orders that recovery works through.

use crate::error::DiskError;
use crate::port::Device;
use crate::units::SectorRange;
use core::fmt;

/// What a job is to do over its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// A write that failed on `device`, or that found lost sectors (then `error` is none). The job's data is
    /// what was to be written.
    Write {
        /// Where it failed.
        device: Device,
        /// How it failed; `None` when it was not tried because sectors are lost.
        error: Option<DiskError>,
        /// Whether it must be durable when it completes (FUA).
        durable: bool,
    },
    /// A read that failed on `device`.
    Read {
        /// Where it failed.
        device: Device,
        /// How it failed.
        error: DiskError,
        /// Whether the job has memory for the data; a scrub has none.
        deliver: bool,
    },
    /// Write zeros for lost sectors.
    AcceptLoss,
    /// Read lost sectors from the main device up to `attempts` times, and keep what answers.
    Retry {
        /// How often each sector is read at most.
        attempts: u32,
    },
    /// Write moved blocks back to the main device and free their slots.
    Unmap,
    /// Move sectors ahead of their failing.
    Remap,
    /// Carry what lies on draining spares to others.
    Evacuate,
}

/// One entry of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// What to do.
    pub kind: JobKind,
    /// Where; within the set, not empty, aligned to the main device's logical block.
    pub range: SectorRange,
}

/// Why a job failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobError {
    /// A device's error that is passed on. Lost sectors are [`DiskError::Medium`].
    Disk(DiskError),
    /// No slot is free.
    NoRoom,
    /// The set is read-only.
    ReadOnly,
    /// The metadata could not be made durable; the set is read-only now.
    Metadata,
    /// Unmap: the block holds lost sectors.
    HoldsLost,
    /// Unmap: the main device did not give back what was written.
    NotVerified,
}

impl From<DiskError> for JobError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::NoRoom => f.write_str("no room left on the spares"),
            Self::ReadOnly => f.write_str("the set is read-only"),
            Self::Metadata => f.write_str("the metadata could not be written; the set is read-only now"),
            Self::HoldsLost => f.write_str("the block holds lost sectors: write, accept or retry them first"),
            Self::NotVerified => f.write_str("the main device did not give back what was written to it"),
        }
    }
}

impl core::error::Error for JobError {}
