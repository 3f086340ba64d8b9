//! What the engine's driver asks of a disk, and the kinds of disk there are.
//!
//! A disk moves whole sectors, says how durable they are, and tells failures as [`DiskError`]. It knows
//! nothing of mappings, spares or requests in flight.

use std::fmt::Debug;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};

pub mod aligned;
pub mod errno;
pub mod faulty;
pub mod file;
pub mod memory;
pub mod spec;

pub use aligned::AlignedBuffer;
pub use faulty::FaultyDisk;
pub use file::{DirectIo, FileDisk, OpenError, OpenOptions};
pub use memory::MemoryDisk;
pub use spec::{DiskSpec, SpecError, open_spec};

/// What is known of a disk when it is opened. Nothing here changes while it is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// The size in sectors of 512 bytes; whole logical blocks.
    pub sectors: u64,
    /// What every request's start and length must be a multiple of, in bytes: 512 or a larger power of two.
    pub logical_block_bytes: u32,
    /// What the medium reads and writes as one, in bytes: at least the logical block.
    pub physical_block_bytes: u32,
    /// What a buffer's address must be a multiple of for IO on [`Disk::descriptor`], in bytes; 1 when any
    /// will do. [`Disk::read`] and [`Disk::write`] take any buffer.
    pub buffer_alignment: usize,
    /// Whether the medium spins, where that is told.
    pub rotational: Option<bool>,
    /// The serial number, where it is told.
    pub serial: Option<String>,
    /// The world-wide name, where it is told (`naa.…`, `eui.…`, `t10.…`).
    pub wwn: Option<String>,
    /// The UUID of the partition that it is, where it is one and that is told.
    pub partition_uuid: Option<String>,
    /// Whether writes are refused.
    pub read_only: bool,
}

impl DiskFacts {
    /// A disk of `sectors` sectors with blocks of 512 bytes of which nothing else is known.
    pub fn plain(sectors: u64) -> Self {
        Self {
            sectors,
            logical_block_bytes: SECTOR_BYTES as u32,
            physical_block_bytes: SECTOR_BYTES as u32,
            buffer_alignment: 1,
            rotational: None,
            serial: None,
            wwn: None,
            partition_uuid: None,
            read_only: false,
        }
    }

    /// The range that `bytes` bytes from `start` cover.
    ///
    /// [`DiskError::Unsupported`] unless they are whole logical blocks within the disk: never an error that
    /// could be taken for a bad sector.
    pub fn range(&self, start: Sector, bytes: usize) -> Result<SectorRange, DiskError> {
        let range = SectorRange::new(start, (bytes / SECTOR_BYTES) as u64);
        if bytes.is_multiple_of(SECTOR_BYTES) { self.checked(range) } else { Err(DiskError::Unsupported) }
    }

    /// `range`, if it is whole logical blocks within the disk; [`DiskError::Unsupported`] otherwise.
    pub fn checked(&self, range: SectorRange) -> Result<SectorRange, DiskError> {
        let block_sectors = u64::from(self.logical_block_bytes) / SECTOR_BYTES as u64;
        let whole =
            range.start.0.is_multiple_of(block_sectors) && range.sectors.is_multiple_of(block_sectors);
        if whole && range.fits(self.sectors) { Ok(range) } else { Err(DiskError::Unsupported) }
    }
}

/// Which disk it is: equal if and only if both are the same disk.
///
/// A partition and the disk it lies on, or a loop device and its file, are different by this measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskIdentity {
    /// A plain file: the device number of its filesystem and its inode number.
    File {
        /// The filesystem's device number.
        device: u64,
        /// The inode number there.
        inode: u64,
    },
    /// A block device, by its own device number.
    Block {
        /// The device number.
        device: u64,
    },
    /// A disk in the memory of this process, by a number given once.
    Memory(u64),
}

/// A disk: blocking calls, from any thread, several at once.
///
/// Lengths and starts are whole logical blocks within the disk; anything else is
/// [`DiskError::Unsupported`]. Requests that overlap in time have no order. After an error the contents of
/// a read's buffer are unspecified, and each sector of a write holds the old or the new data, or is bad.
pub trait Disk: Send + Sync + Debug {
    /// What is known of the disk.
    fn facts(&self) -> &DiskFacts;

    /// Fills `into` from `start` on.
    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError>;

    /// Stores `from` from `start` on. With `durable`, this data survives a power cut once the call
    /// returns (force unit access); it says nothing about other writes.
    fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), DiskError>;

    /// Makes every write that returned before this call durable.
    fn flush(&self) -> Result<(), DiskError>;

    /// Gives the space of `range` back; what is read there afterwards is unspecified until it is written.
    fn discard(&self, range: SectorRange) -> Result<(), DiskError>;

    /// The descriptor on which an `io_uring` may do the same reads and writes, at the byte offsets of the
    /// sectors and with buffers aligned to [`DiskFacts::buffer_alignment`], if there is one.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// Which disk it is.
    fn identity(&self) -> DiskIdentity;

    /// The path it was opened by, if there is one.
    fn path(&self) -> Option<&Path>;
}

macro_rules! forward_disk {
    ($pointer:ident) => {
        impl<D: Disk + ?Sized> Disk for $pointer<D> {
            fn facts(&self) -> &DiskFacts {
                (**self).facts()
            }
            fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
                (**self).read(start, into)
            }
            fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), DiskError> {
                (**self).write(start, from, durable)
            }
            fn flush(&self) -> Result<(), DiskError> {
                (**self).flush()
            }
            fn discard(&self, range: SectorRange) -> Result<(), DiskError> {
                (**self).discard(range)
            }
            fn descriptor(&self) -> Option<BorrowedFd<'_>> {
                (**self).descriptor()
            }
            fn identity(&self) -> DiskIdentity {
                (**self).identity()
            }
            fn path(&self) -> Option<&Path> {
                (**self).path()
            }
        }
    };
}

// A test keeps an `Arc` of the disk that it hands to a wrapper as a `Box`.
forward_disk!(Box);
forward_disk!(Arc);

#[cfg(test)]
mod tests;
