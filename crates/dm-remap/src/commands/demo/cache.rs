//! A drive's volatile write cache, in front of a file, and the power cut that empties it.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};
use remap_io::disk::{Disk, DiskFacts, DiskIdentity};

type SectorData = [u8; SECTOR_BYTES];

/// A disk whose writes are on the medium only after a flush.
#[derive(Debug)]
pub struct CachedDisk {
    medium: Box<dyn Disk>,
    /// Writes of each sector that no flush has covered, oldest first.
    cache: Mutex<BTreeMap<u64, Vec<SectorData>>>,
}

impl CachedDisk {
    /// A cache in front of `medium`.
    pub fn new(medium: Box<dyn Disk>) -> Self {
        Self { medium, cache: Mutex::default() }
    }

    /// Cuts the power: of each sector, any of the writes that no flush has covered may be what the medium
    /// holds afterwards, or none of them; `choose` picks among so many possibilities. Returns how many
    /// sectors were not left as last written.
    pub fn cut_power(&self, mut choose: impl FnMut(usize) -> usize) -> Result<usize, DiskError> {
        let mut lost = 0;
        for (sector, writes) in std::mem::take(&mut *self.cache()) {
            let kept = choose(writes.len() + 1);
            lost += usize::from(kept < writes.len());
            if let Some(data) = kept.checked_sub(1).and_then(|index| writes.get(index)) {
                self.medium.write(Sector(sector), data, false)?;
            }
        }
        Ok(lost)
    }

    fn cache(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<SectorData>>> {
        self.cache.lock().expect("no thread panics while it holds the lock")
    }
}

impl Disk for CachedDisk {
    fn facts(&self) -> &DiskFacts {
        self.medium.facts()
    }

    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
        let cache = self.cache();
        self.medium.read(start, into)?;
        let end = start.0 + (into.len() / SECTOR_BYTES) as u64;
        for (sector, writes) in cache.range(start.0..end) {
            let offset = (sector - start.0) as usize * SECTOR_BYTES;
            if let Some(newest) = writes.last() {
                into[offset..offset + SECTOR_BYTES].copy_from_slice(newest);
            }
        }
        Ok(())
    }

    fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), DiskError> {
        self.facts().range(start, from.len())?;
        let mut cache = self.cache();
        for (sector, data) in (start.0..).zip(from.as_chunks::<SECTOR_BYTES>().0) {
            if durable {
                cache.remove(&sector);
            } else {
                cache.entry(sector).or_default().push(*data);
            }
        }
        if durable { self.medium.write(start, from, false) } else { Ok(()) }
    }

    /// The file behind is as durable as the demonstration needs: only the play's power is cut.
    fn flush(&self) -> Result<(), DiskError> {
        let mut run: Option<(u64, Vec<u8>)> = None;
        for (sector, writes) in std::mem::take(&mut *self.cache()) {
            let Some(newest) = writes.last() else { continue };
            match &mut run {
                Some((start, data)) if *start + (data.len() / SECTOR_BYTES) as u64 == sector => {
                    data.extend_from_slice(newest);
                }
                _ => {
                    if let Some((start, data)) = run.replace((sector, newest.to_vec())) {
                        self.medium.write(Sector(start), &data, false)?;
                    }
                }
            }
        }
        run.map_or(Ok(()), |(start, data)| self.medium.write(Sector(start), &data, false))
    }

    fn discard(&self, range: SectorRange) -> Result<(), DiskError> {
        self.flush()?;
        self.medium.discard(range)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn identity(&self) -> DiskIdentity {
        self.medium.identity()
    }

    fn path(&self) -> Option<&Path> {
        self.medium.path()
    }
}

#[cfg(test)]
mod tests;
