//! A disk in memory, with a write cache that a power cut can lose where one is wanted.
//!
//! For tests and demonstrations. It owns what survives a power cut and what may not; the choice among the
//! outcomes that are possible is the caller's.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};

use super::{Disk, DiskFacts, DiskIdentity};

type SectorData = [u8; SECTOR_BYTES];

/// A disk in memory. Sectors never written are zero, and cost no memory as long as the system gives
/// zero pages on demand.
#[derive(Debug)]
pub struct MemoryDisk {
    facts: DiskFacts,
    number: u64,
    volatile_cache: bool,
    state: RwLock<State>,
}

struct State {
    durable: Vec<u8>,
    /// Writes to each sector that no flush has covered, oldest first. Empty without a volatile cache.
    unflushed: BTreeMap<u64, Vec<SectorData>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, {} sectors unflushed", self.durable.len(), self.unflushed.len())
    }
}

impl MemoryDisk {
    /// A disk of `sectors` zero sectors on which every write is durable at once.
    pub fn new(sectors: u64) -> Self {
        Self::build(DiskFacts::plain(sectors), vec![0; sectors as usize * SECTOR_BYTES], false)
    }

    /// A disk of `sectors` zero sectors that keeps writes in a volatile cache until a flush, or a durable write
    /// of the same sector: see [`power_cut`](Self::power_cut).
    pub fn with_volatile_cache(sectors: u64) -> Self {
        Self::build(DiskFacts::plain(sectors), vec![0; sectors as usize * SECTOR_BYTES], true)
    }

    /// A disk that holds `image`, cut to whole sectors, and is otherwise as [`new`](Self::new).
    pub fn from_image(mut image: Vec<u8>) -> Self {
        image.truncate(image.len() / SECTOR_BYTES * SECTOR_BYTES);
        Self::build(DiskFacts::plain((image.len() / SECTOR_BYTES) as u64), image, false)
    }

    /// The same disk with other block sizes, in bytes: powers of two, at least 512, the physical one not
    /// the smaller. A last part of a logical block is cut off.
    #[must_use]
    pub fn with_blocks(mut self, logical_bytes: u32, physical_bytes: u32) -> Self {
        assert!(logical_bytes.is_power_of_two() && logical_bytes >= SECTOR_BYTES as u32);
        assert!(physical_bytes.is_power_of_two() && physical_bytes >= logical_bytes);
        let block_sectors = u64::from(logical_bytes) / SECTOR_BYTES as u64;
        self.facts.sectors -= self.facts.sectors % block_sectors;
        self.facts.logical_block_bytes = logical_bytes;
        self.facts.physical_block_bytes = physical_bytes;
        self
    }

    fn build(facts: DiskFacts, durable: Vec<u8>, volatile_cache: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            facts,
            number,
            volatile_cache,
            state: RwLock::new(State { durable, unflushed: BTreeMap::new() }),
        }
    }

    /// Cuts the power: for each unflushed write of each sector, ascending by sector and oldest first,
    /// `keep` says whether it reached the medium. The newest kept one is what the sector then holds. Writes
    /// tear between sectors, never within one.
    pub fn power_cut(&self, mut keep: impl FnMut(Sector) -> bool) {
        let mut state = self.writing();
        for (sector, versions) in std::mem::take(&mut state.unflushed) {
            for version in versions {
                if keep(Sector(sector)) {
                    state.settle(sector, &version);
                }
            }
        }
    }

    /// How many writes of single sectors no flush has covered.
    pub fn unflushed_writes(&self) -> usize {
        self.reading().unflushed.values().map(Vec::len).sum()
    }

    /// Everything a read of the whole disk would give, unflushed writes included.
    pub fn image(&self) -> Vec<u8> {
        let state = self.reading();
        let mut image = state.durable.clone();
        state.overlay(0, &mut image);
        image
    }

    /// Changes bytes of the medium behind the cache's back: rot, a flipped bit, a torn sector.
    pub fn corrupt(&self, change: impl FnOnce(&mut [u8])) {
        change(&mut self.writing().durable);
    }

    fn reading(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().expect("no thread panics while it holds the lock")
    }

    fn writing(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().expect("no thread panics while it holds the lock")
    }
}

impl State {
    fn settle(&mut self, sector: u64, data: &[u8]) {
        let offset = sector as usize * SECTOR_BYTES;
        self.durable[offset..offset + SECTOR_BYTES].copy_from_slice(data);
    }

    /// Puts the newest unflushed data over `into`, which holds the durable data from sector `start` on.
    fn overlay(&self, start: u64, into: &mut [u8]) {
        let end = start + (into.len() / SECTOR_BYTES) as u64;
        for (sector, versions) in self.unflushed.range(start..end) {
            let offset = (sector - start) as usize * SECTOR_BYTES;
            let newest = versions.last().expect("no sector is kept without a write");
            into[offset..offset + SECTOR_BYTES].copy_from_slice(newest);
        }
    }
}

impl Disk for MemoryDisk {
    fn facts(&self) -> &DiskFacts {
        &self.facts
    }

    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
        self.facts.range(start, into.len())?;
        let state = self.reading();
        let offset = start.bytes() as usize;
        into.copy_from_slice(&state.durable[offset..offset + into.len()]);
        state.overlay(start.0, into);
        Ok(())
    }

    fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), DiskError> {
        self.facts.range(start, from.len())?;
        let mut state = self.writing();
        if !self.volatile_cache {
            let offset = start.bytes() as usize;
            state.durable[offset..offset + from.len()].copy_from_slice(from);
            return Ok(());
        }
        let (sectors, _) = from.as_chunks::<SECTOR_BYTES>();
        for (sector, data) in (start.0..).zip(sectors) {
            if durable {
                state.unflushed.remove(&sector);
                state.settle(sector, data);
            } else {
                state.unflushed.entry(sector).or_default().push(*data);
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        let mut state = self.writing();
        for (sector, versions) in std::mem::take(&mut state.unflushed) {
            let newest = versions.last().expect("no sector is kept without a write");
            state.settle(sector, newest);
        }
        Ok(())
    }

    fn discard(&self, range: SectorRange) -> Result<(), DiskError> {
        self.facts.checked(range)?;
        let mut state = self.writing();
        let offset = range.start.bytes() as usize;
        state.durable[offset..offset + range.sectors as usize * SECTOR_BYTES].fill(0);
        state.unflushed.retain(|sector, _| !(range.start.0..range.end().0).contains(sector));
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn identity(&self) -> DiskIdentity {
        DiskIdentity::Memory(self.number)
    }

    fn path(&self) -> Option<&Path> {
        None
    }
}

#[cfg(test)]
mod tests;
