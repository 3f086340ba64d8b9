//! What can go wrong with a request, an opening or a closing, in sentences that a person can act on.

use std::path::PathBuf;

use remap_core::DiskError;
use remap_core::open::FormatError;
use remap_core::recovery::job::JobError;

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A disk's error that is passed on; [`DiskError::Medium`] for sectors that nobody holds.
    #[error("{0}")]
    Disk(DiskError),
    /// A write needs a slot, and none is free.
    #[error("no room is left on the spares: add one (dm-remap spare add)")]
    NoRoom,
    /// The device was opened read-only, or has become so.
    #[error("the device is read-only")]
    ReadOnly,
    /// The device has been closed.
    #[error("the device is closed")]
    Closed,
    /// The range does not lie within the device.
    #[error("the range does not lie within the device")]
    OutOfRange,
    /// The range is empty or not whole logical blocks.
    #[error("the range is not whole logical blocks of the device")]
    Misaligned,
    /// The metadata could not be made durable; the device is read-only now.
    #[error("the metadata could not be written to any spare; the device is read-only now")]
    Metadata,
    /// Unmap: a block holds lost sectors.
    #[error("the block holds lost sectors: write, accept or retry them first")]
    HoldsLost,
    /// Unmap: the main device did not give back what was written.
    #[error("the main device did not give back what was written to it; the block stays on the spare")]
    NotVerified,
    /// There is no spare of that number.
    #[error("the set has no such spare")]
    NoSuchSpare,
    /// What was asked for is going on already.
    #[error("this is going on already: wait for it, or stop it")]
    Busy,
    /// Recovery came to a halt by a defect of this program. What has been acknowledged is safe.
    #[error("recovery has halted by a defect of this program: close the device and open it again")]
    Halted,
}

impl From<JobError> for RequestError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Disk(error) => Self::Disk(error),
            JobError::NoRoom => Self::NoRoom,
            JobError::ReadOnly => Self::ReadOnly,
            JobError::Metadata => Self::Metadata,
            JobError::HoldsLost => Self::HoldsLost,
            JobError::NotVerified => Self::NotVerified,
        }
    }
}

impl From<DiskError> for RequestError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// Why a set was not opened. Nothing has been written, unless a spare failed while it was marked as in use.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No spare was given.
    #[error("no spare was given: a set is opened with its main device and all its spares")]
    NoSpare,
    /// Two members are one disk.
    #[error("{} and {} are the same disk", one.display(), other.display())]
    SameDisk {
        /// The one.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Two disks say that they are the same spare: one is a copy of the other.
    #[error("{} and {} say that they are the same spare: give the current one only", one.display(), other.display())]
    Copy {
        /// The one.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// A spare is none.
    #[error("{} is no spare of a dm-remap set: {reason}", path.display())]
    NotASpare {
        /// The disk.
        path: PathBuf,
        /// What its superblock copies are.
        reason: String,
    },
    /// The spares are of different sets.
    #[error("{} belongs to the set {name} ({uuid}), the other spares do not", path.display())]
    OtherSet {
        /// The disk.
        path: PathBuf,
        /// The name of its set.
        name: String,
        /// The UUID of its set.
        uuid: String,
    },
    /// A spare has left the set.
    #[error("{} was once a spare of the set {name}, and has been removed from it", path.display())]
    NoMember {
        /// The disk.
        path: PathBuf,
        /// The name of the set.
        name: String,
    },
    /// A spare is smaller than it was.
    #[error(
        "{} has {sectors} sectors and had {expected} when it was made a spare: \
         give it its size back, nothing has been changed", path.display()
    )]
    SpareShrunk {
        /// The disk.
        path: PathBuf,
        /// Its size in sectors.
        sectors: u64,
        /// What it was.
        expected: u64,
    },
    /// Not all spares were given.
    #[error(
        "the set {name} has {members} spares, and {missing} of them is missing (UUID {uuid}); without it the set \
         opens read-only on request, and what was moved there reads as lost"
    )]
    SpareMissing {
        /// The name of the set.
        name: String,
        /// How many spares it has.
        members: usize,
        /// How many of them are missing.
        missing: usize,
        /// The UUID of the first that is missing.
        uuid: String,
    },
    /// The main device is not the one that the set was made for.
    #[error("{} is not the main device of the set {name}: {difference}{}", path.display(),
        if *can_be_accepted { "; if it is all the same, open the set with --accept-other-main" } else { "" })]
    OtherMain {
        /// The disk.
        path: PathBuf,
        /// The name of the set.
        name: String,
        /// What differs.
        difference: String,
        /// Whether the set could be opened with it all the same.
        can_be_accepted: bool,
    },
    /// A disk can only be read, and the set was to be opened for writing.
    #[error("{} can only be read: open the set read-only", path.display())]
    ReadOnlyDisk {
        /// The disk.
        path: PathBuf,
    },
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] remap_core::open::OpenError),
    /// The system gave no thread.
    #[error("no thread for recovery: {0}")]
    Thread(#[from] std::io::Error),
    /// Opening came to a halt by a defect of this program.
    #[error(
        "opening has halted by a defect of this program; nothing was changed but metadata copies repaired"
    )]
    Halted,
}

/// Why a device was not closed cleanly. Everything acknowledged and flushed is safe nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseError {
    /// A spare did not take its superblock or a flush.
    #[error("the set is not marked as closed: {0}")]
    Spare(#[from] FormatError),
    /// The metadata could not be written to any spare, some time before.
    #[error("the set is not marked as closed: its metadata can no longer be written")]
    Metadata,
    /// Recovery had halted before.
    #[error("the set is not marked as closed: recovery had halted by a defect of this program")]
    Halted,
}
