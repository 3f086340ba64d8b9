//! Disks for tests of sets: they fail by script, stop at a chosen write, and lose power.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use remap_core::{DiskError, Sector, SectorRange};

use crate::device::RemapDevice;
use crate::disk::faulty::FaultScript;
use crate::disk::{Disk, DiskFacts, DiskIdentity, FaultyDisk, MemoryDisk};
use crate::members::{CreateOptions, DeviceOptions, Members, create};

/// The size of a bed's spares: 16 MiB.
pub const SPARE_SECTORS: u64 = 32768;

/// How many writes and flushes all disks of a bed still take together; then the machine is dead.
#[derive(Debug)]
pub struct Fuse(AtomicU64);

impl Fuse {
    fn burn(&self) -> Result<(), DiskError> {
        let burnt = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        burnt.map(drop).map_err(|_| DiskError::Offline)
    }

    pub fn set(&self, writes: u64) {
        self.0.store(writes, Ordering::Relaxed);
    }
}

/// One disk of a bed: memory with a volatile cache, behind faults, behind the fuse.
#[derive(Debug)]
pub struct TestDisk {
    pub memory: Arc<MemoryDisk>,
    pub faulty: FaultyDisk,
    fuse: Arc<Fuse>,
}

impl TestDisk {
    pub fn new(memory: MemoryDisk, fuse: &Arc<Fuse>) -> Arc<Self> {
        let memory = Arc::new(memory);
        let faulty = FaultyDisk::new(Box::new(Arc::clone(&memory)), FaultScript::default());
        Arc::new(Self { memory, faulty, fuse: Arc::clone(fuse) })
    }

    pub fn fail(&self, script: &str) {
        self.faulty.set_faults(script.parse().expect("a script"));
    }
}

impl Disk for TestDisk {
    fn facts(&self) -> &DiskFacts {
        self.faulty.facts()
    }
    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
        self.faulty.read(start, into)
    }
    fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), DiskError> {
        self.fuse.burn()?;
        self.faulty.write(start, from, durable)
    }
    fn flush(&self) -> Result<(), DiskError> {
        self.fuse.burn()?;
        self.faulty.flush()
    }
    fn discard(&self, range: SectorRange) -> Result<(), DiskError> {
        self.fuse.burn()?;
        self.faulty.discard(range)
    }
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    fn identity(&self) -> DiskIdentity {
        self.faulty.identity()
    }
    fn path(&self) -> Option<&Path> {
        None
    }
}

/// Disks that outlive the set made of them, so that it can be opened again.
#[derive(Debug)]
pub struct Bed {
    pub main: Arc<TestDisk>,
    pub spares: Vec<Arc<TestDisk>>,
    pub fuse: Arc<Fuse>,
}

impl Bed {
    /// A main device of `sectors` sectors and some spares; no set yet.
    pub fn blank(sectors: u64, spares: usize) -> Self {
        let fuse = Arc::new(Fuse(AtomicU64::new(u64::MAX)));
        let disk = |sectors| TestDisk::new(MemoryDisk::with_volatile_cache(sectors), &fuse);
        Self { main: disk(sectors), spares: (0..spares).map(|_| disk(SPARE_SECTORS)).collect(), fuse }
    }

    /// The same with a set on it.
    pub fn new(sectors: u64, spares: usize, options: &CreateOptions) -> Self {
        let bed = Self::blank(sectors, spares);
        create(&bed.members(), options).expect("blank disks make a set");
        bed
    }

    /// As [`new`](Self::new), with the default options.
    pub fn plain(sectors: u64, spares: usize) -> Self {
        Self::new(sectors, spares, &CreateOptions::default())
    }

    pub fn members(&self) -> Members {
        let spares = self.spares.iter().map(boxed).collect();
        Members { main: boxed(&self.main), spares }
    }

    pub fn open(&self) -> Arc<RemapDevice> {
        RemapDevice::open(self.members(), &DeviceOptions::default()).expect("the set opens")
    }

    /// Another spare-sized blank disk, which is no member.
    pub fn further_disk(&self) -> Arc<TestDisk> {
        TestDisk::new(MemoryDisk::with_volatile_cache(SPARE_SECTORS), &self.fuse)
    }

    /// Cuts the power of all disks: of each unflushed write of a sector it is chance whether it is kept.
    pub fn power_cut(&self, random: &mut Random) {
        for disk in self.spares.iter().chain([&self.main]) {
            disk.memory.power_cut(|_| random.below(2) == 0);
        }
        self.fuse.set(u64::MAX);
    }
}

pub fn boxed(disk: &Arc<TestDisk>) -> Box<dyn Disk> {
    Box::new(Arc::clone(disk))
}

/// Numbers by chance, the same for the same seed (xorshift64*, Vigna 2016).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Less than `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A sector full of `stamp`.
pub fn sector_of(stamp: u64) -> [u8; 512] {
    let mut sector = [0; 512];
    for word in sector.as_chunks_mut::<8>().0 {
        *word = stamp.to_le_bytes();
    }
    sector
}

/// The stamp of a sector; `None` when it is not one sector of one stamp.
pub fn stamp_of(sector: &[u8]) -> Option<u64> {
    let words = sector.as_chunks::<8>().0;
    let first = words.first()?;
    words.iter().all(|word| word == first).then(|| u64::from_le_bytes(*first))
}
