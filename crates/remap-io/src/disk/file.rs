//! A plain file or a block device as a disk.
//!
//! Owns the open descriptor, its lock and the blocking calls on it. How it comes to be opened, and what
//! is refused, is in `open`; what the kernel tells of a block device is in `ioctl` and `sysfs`.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};
use rustix::fs::FallocateFlags;
use rustix::io::{Errno, ReadWriteFlags};

use super::aligned::{AlignedBuffer, is_aligned};
use super::errno::disk_error;
use super::{Disk, DiskFacts, DiskIdentity};

mod direct;
mod holder;
mod ioctl;
mod open;
mod sysfs;

pub use open::{DirectIo, OpenError, OpenOptions};

/// A plain file or a block device, open and locked until it is dropped.
#[derive(Debug)]
pub struct FileDisk {
    descriptor: OwnedFd,
    path: PathBuf,
    facts: DiskFacts,
    identity: DiskIdentity,
    direct: bool,
    tail_bytes: u64,
    /// Set once the kernel has refused `RWF_DSYNC` here, so that it is asked once only.
    no_write_through: AtomicBool,
}

impl FileDisk {
    /// Opens `path`; see [`OpenOptions`] for how, [`OpenError`] for what is refused.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        open::open(path, options)
    }

    /// Whether IO goes past the page cache (`O_DIRECT`).
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// Bytes behind the last whole logical block: there, but no part of the disk. Usually 0.
    pub fn tail_bytes(&self) -> u64 {
        self.tail_bytes
    }

    fn is_block_device(&self) -> bool {
        matches!(self.identity, DiskIdentity::Block { .. })
    }

    fn needs_bounce(&self, buffer: &[u8]) -> bool {
        self.direct && !is_aligned(buffer, self.facts.buffer_alignment)
    }

    fn read_all(&self, mut offset: u64, mut into: &mut [u8]) -> Result<(), DiskError> {
        while !into.is_empty() {
            match rustix::io::pread(&self.descriptor, &mut *into, offset) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(disk_error(errno)),
                Ok(read) => {
                    (into, offset) = (&mut into[progress(read)?..], offset + read as u64);
                }
            }
        }
        Ok(())
    }

    fn write_all(&self, mut offset: u64, mut from: &[u8], durable: bool) -> Result<(), DiskError> {
        let through = durable && !self.no_write_through.load(Ordering::Relaxed);
        let flags = if through { ReadWriteFlags::DSYNC } else { ReadWriteFlags::empty() };
        while !from.is_empty() {
            let written = if through {
                rustix::io::pwritev2(&self.descriptor, &[IoSlice::new(from)], offset, flags)
            } else {
                rustix::io::pwrite(&self.descriptor, from, offset)
            };
            match written {
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS) if through => {
                    self.no_write_through.store(true, Ordering::Relaxed);
                    return self.write_all(offset, from, true);
                }
                Err(errno) => return Err(disk_error(errno)),
                Ok(written) => (from, offset) = (&from[progress(written)?..], offset + written as u64),
            }
        }
        if durable && !through { self.flush() } else { Ok(()) }
    }
}

/// How far a call came. The end of the file (it was cut short behind our back) and a part of a sector are
/// errors; less than asked for is not, since asking for the rest tells what is wrong there.
fn progress(bytes: usize) -> Result<usize, DiskError> {
    if bytes == 0 || !bytes.is_multiple_of(SECTOR_BYTES) { Err(DiskError::Io) } else { Ok(bytes) }
}

impl Disk for FileDisk {
    fn facts(&self) -> &DiskFacts {
        &self.facts
    }

    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
        self.facts.range(start, into.len())?;
        if !self.needs_bounce(into) {
            return self.read_all(start.bytes(), into);
        }
        let mut bounce = AlignedBuffer::zeroed(into.len());
        self.read_all(start.bytes(), &mut bounce)?;
        into.copy_from_slice(&bounce);
        Ok(())
    }

    fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), DiskError> {
        self.facts.range(start, from.len())?;
        if self.facts.read_only {
            return Err(DiskError::Unsupported);
        }
        if self.needs_bounce(from) {
            self.write_all(start.bytes(), &AlignedBuffer::copy_of(from), durable)
        } else {
            self.write_all(start.bytes(), from, durable)
        }
    }

    fn flush(&self) -> Result<(), DiskError> {
        loop {
            match rustix::fs::fdatasync(&self.descriptor) {
                Err(Errno::INTR) => {}
                result => return result.map_err(disk_error),
            }
        }
    }

    fn discard(&self, range: SectorRange) -> Result<(), DiskError> {
        self.facts.checked(range)?;
        if self.facts.read_only {
            return Err(DiskError::Unsupported);
        }
        if range.sectors == 0 {
            return Ok(());
        }
        let (offset, bytes) = (range.start.bytes(), range.sectors * SECTOR_BYTES as u64);
        if self.is_block_device() {
            ioctl::discard(self.descriptor.as_fd(), offset, bytes).map_err(disk_error)
        } else {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            loop {
                match rustix::fs::fallocate(&self.descriptor, hole, offset, bytes) {
                    Err(Errno::INTR) => {}
                    result => return result.map_err(disk_error),
                }
            }
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.descriptor.as_fd())
    }

    fn identity(&self) -> DiskIdentity {
        self.identity
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

#[cfg(test)]
mod tests;
