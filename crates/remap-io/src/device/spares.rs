//! A spare as the running device uses it: its disk, and whether something written there awaits a flush.

use std::sync::atomic::{AtomicU64, Ordering};

use remap_core::DiskError;

use crate::disk::Disk;

/// See the module.
#[derive(Debug)]
pub struct SpareDisk {
    disk: Option<Box<dyn Disk>>,
    /// Writes that were completed.
    written: AtomicU64,
    /// How many of them a flush has covered.
    flushed: AtomicU64,
}

impl SpareDisk {
    /// A spare that is there, or not.
    pub fn new(disk: Option<Box<dyn Disk>>) -> Self {
        Self { disk, written: AtomicU64::new(0), flushed: AtomicU64::new(0) }
    }

    /// The disk, if it is there.
    pub fn disk(&self) -> Option<&dyn Disk> {
        self.disk.as_deref()
    }

    /// A write that is not durable by itself has been completed. To be called before it is acknowledged.
    pub fn note_write(&self) {
        self.written.fetch_add(1, Ordering::Release);
    }

    /// How many writes have been completed, if some of them await a flush.
    pub fn unflushed(&self) -> Option<u64> {
        let written = self.written();
        (self.flushed.load(Ordering::Acquire) < written).then_some(written)
    }

    /// How many writes have been completed, for [`note_flush`](Self::note_flush).
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// The first `written` writes are durable.
    pub fn note_flush(&self, written: u64) {
        self.flushed.fetch_max(written, Ordering::AcqRel);
    }

    /// Makes all completed writes durable, if there are any. With `forgive`, those that cannot be made
    /// durable fail this flush and are then let go: the spare is gone, reads of them fail.
    pub fn flush(&self, forgive: bool) -> Result<(), DiskError> {
        let Some(written) = self.unflushed() else { return Ok(()) };
        let result = self.disk().ok_or(DiskError::Offline).and_then(Disk::flush);
        if result.is_ok() || forgive {
            self.note_flush(written);
        }
        result
    }
}
