//! A disk that fails where a script says so, in front of one that does not.
//!
//! For tests, demonstrations and trying a set out before trusting it. It owns which requests fail and how;
//! `script` is the text, `armed` what it has come to, `watch` the file that may change under a running server.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};

use super::{Disk, DiskFacts, DiskIdentity};

mod armed;
pub mod script;
mod watch;

pub use script::{FaultScript, ScriptError};

use armed::{Access, Armed};
use watch::Watch;

/// Why a fault script that lives in a file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// The file cannot be read.
    #[error("cannot read the fault script {}: {source}", path.display())]
    Unreadable {
        /// The script.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A line of it makes no sense.
    #[error("fault script {}: {source}", path.display())]
    Script {
        /// The script.
        path: PathBuf,
        /// Which line, and why.
        source: ScriptError,
    },
}

/// Requests that a [`FaultyDisk`] has seen since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultyCounts {
    /// Read requests, failed ones included.
    pub reads: u64,
    /// Write requests, failed ones included.
    pub writes: u64,
    /// Flush requests, failed ones included.
    pub flushes: u64,
    /// Requests of any kind that failed, whether by the script or by the disk behind it.
    pub errors: u64,
}

/// A disk with faults by script in front of a disk.
///
/// A request that touches a bad sector fails as a whole. Of a write, the sectors before the first bad one
/// are stored (in whole logical blocks), and nothing from there on. The faults are in this process: there is no descriptor
/// that would go past them.
#[derive(Debug)]
pub struct FaultyDisk {
    inner: Box<dyn Disk>,
    armed: RwLock<Arc<Armed>>,
    watch: Option<Watch>,
    trouble: Mutex<Option<String>>,
    reads: AtomicU64,
    writes: AtomicU64,
    flushes: AtomicU64,
    errors: AtomicU64,
}

impl FaultyDisk {
    /// Puts the faults of `script` in front of `inner`.
    pub fn new(inner: Box<dyn Disk>, script: FaultScript) -> Self {
        Self::build(inner, Armed::new(script, None, &[]), None)
    }

    /// Puts the faults of the script in the file `path` in front of `inner`.
    ///
    /// The file is looked at again with the requests, at most every 50 ms; a change takes effect with the first request after
    /// that. Rules that are unchanged keep their counts, which begin anew in the next process. What `heal-on-write` has healed is kept in a file
    /// beside the script, with `.healed` appended to its name, so that it stays healed for the next
    /// process; without that file everything is bad again.
    pub fn watching(inner: Box<dyn Disk>, path: &Path) -> Result<Self, FaultsError> {
        let watch = Watch::new(path);
        let (script, healed) = watch.load()?;
        Ok(Self::build(inner, Armed::new(script, None, &healed), Some(watch)))
    }

    fn build(inner: Box<dyn Disk>, armed: Armed, watch: Option<Watch>) -> Self {
        Self {
            inner,
            armed: RwLock::new(Arc::new(armed)),
            watch,
            trouble: Mutex::new(None),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        }
    }

    /// Replaces the faults. Rules that were there before keep their counts, and what was healed stays so.
    /// A script file that is watched takes over again when it changes.
    pub fn set_faults(&self, script: FaultScript) {
        self.rearm(script, &[]);
    }

    /// What was wrong with the script file when it was last looked at; the faults from before stay.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().expect("no thread panics while it holds the lock").clone()
    }

    /// What this disk has seen.
    pub fn counts(&self) -> FaultyCounts {
        FaultyCounts {
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            flushes: self.flushes.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
        }
    }

    fn rearm(&self, script: FaultScript, healed: &[SectorRange]) {
        let mut armed = self.armed.write().expect("no thread panics while it holds the lock");
        *armed = Arc::new(Armed::new(script, Some(&armed), healed));
    }

    /// The faults as they are now.
    fn armed(&self) -> Arc<Armed> {
        if let Some(watch) = &self.watch
            && watch.has_changed()
        {
            let trouble = match watch.load() {
                Ok((script, healed)) => {
                    self.rearm(script, &healed);
                    None
                }
                Err(error) => Some(error.to_string()),
            };
            *self.trouble.lock().expect("no thread panics while it holds the lock") = trouble;
        }
        Arc::clone(&self.armed.read().expect("no thread panics while it holds the lock"))
    }

    fn counted(&self, count: &AtomicU64, result: Result<(), DiskError>) -> Result<(), DiskError> {
        count.fetch_add(1, Ordering::Relaxed);
        if result.is_err() {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    fn read_faulty(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
        let range = self.facts().range(start, into.len())?;
        match self.armed().strike(Access::Read, range) {
            Some(fault) => Err(fault.error),
            None => self.inner.read(start, into),
        }
    }

    fn write_faulty(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), DiskError> {
        let range = self.facts().range(start, from.len())?;
        let armed = self.armed();
        let Some(fault) = armed.strike(Access::Write, range) else {
            self.inner.write(start, from, durable)?;
            return self.heal(&armed, range);
        };
        let block_bytes = self.facts().logical_block_bytes as usize;
        let before = (fault.first_bad.0 - start.0) as usize * SECTOR_BYTES;
        let stored = before - before % block_bytes;
        if stored > 0 {
            self.inner.write(start, &from[..stored], durable)?;
            self.heal(&armed, SectorRange::new(start, (stored / SECTOR_BYTES) as u64))?;
        }
        Err(fault.error)
    }

    /// What is healed is on record before the write is acknowledged: it must not turn bad by a restart.
    fn heal(&self, armed: &Armed, written: SectorRange) -> Result<(), DiskError> {
        let healed = armed.heal(written);
        match &self.watch {
            Some(watch) if !healed.is_empty() => watch.record_healed(&healed).map_err(|_| DiskError::Io),
            _ => Ok(()),
        }
    }

    fn strike_whole_disk(&self) -> Result<(), DiskError> {
        match self.armed().strike(Access::Other, SectorRange::new(Sector(0), 0)) {
            Some(fault) => Err(fault.error),
            None => Ok(()),
        }
    }
}

impl Disk for FaultyDisk {
    fn facts(&self) -> &DiskFacts {
        self.inner.facts()
    }

    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
        self.counted(&self.reads, self.read_faulty(start, into))
    }

    fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), DiskError> {
        self.counted(&self.writes, self.write_faulty(start, from, durable))
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.counted(&self.flushes, self.strike_whole_disk().and_then(|()| self.inner.flush()))
    }

    fn discard(&self, range: SectorRange) -> Result<(), DiskError> {
        self.strike_whole_disk()?;
        self.inner.discard(range)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn identity(&self) -> DiskIdentity {
        self.inner.identity()
    }

    fn path(&self) -> Option<&Path> {
        self.inner.path()
    }
}

#[cfg(test)]
mod tests;
