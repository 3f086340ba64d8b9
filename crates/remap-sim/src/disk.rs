//! A simulated disk: sectors in memory, a volatile cache, faults, and power cuts that keep any subset of what
//! was not flushed, sector by sector.

use fastrand::Rng;
use remap_core::DiskError;
use remap_core::units::SECTOR_BYTES;
use std::collections::BTreeMap;

type SectorBytes = [u8; SECTOR_BYTES];

/// What is wrong with a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fails when read and when written.
    Dead,
    /// Fails when read, until it is written.
    Unreadable,
    /// Fails when written; can be read.
    Unwritable,
    /// Fails when read, so many times more.
    Flaky(u8),
}

/// The disk. Requests take effect when they are made; how long they are under way is the driver's business.
#[derive(Debug)]
pub struct SimDisk {
    data: Vec<u8>,
    /// Sectors written since the last flush: what they held then, and since, but for the present content.
    unflushed: BTreeMap<u64, Vec<SectorBytes>>,
    faults: BTreeMap<u64, Fault>,
    /// What a bad sector answers with.
    pub error: DiskError,
    /// Answers nothing at all.
    pub dead: Option<DiskError>,
}

impl SimDisk {
    /// A disk of `sectors` sectors of zeros.
    pub fn new(sectors: u64) -> Self {
        Self {
            data: vec![0; sectors as usize * SECTOR_BYTES],
            unflushed: BTreeMap::new(),
            faults: BTreeMap::new(),
            error: DiskError::Medium,
            dead: None,
        }
    }

    /// Size in sectors.
    pub fn sectors(&self) -> u64 {
        (self.data.len() / SECTOR_BYTES) as u64
    }

    /// Reads into `into`, which is whole sectors.
    pub fn read(&mut self, start: u64, into: &mut [u8]) -> Result<(), DiskError> {
        if let Some(error) = self.dead {
            return Err(error);
        }
        let sectors = (into.len() / SECTOR_BYTES) as u64;
        let mut failed = false;
        for (_, fault) in self.faults.range_mut(start..start + sectors) {
            match fault {
                Fault::Dead | Fault::Unreadable => failed = true,
                Fault::Unwritable | Fault::Flaky(0) => {}
                Fault::Flaky(left) => {
                    *left -= 1;
                    failed = true;
                }
            }
        }
        if failed {
            // What a failed read leaves in memory is anything but the data.
            into.fill(0xee);
            return Err(self.error);
        }
        into.copy_from_slice(&self.data[place_of(start, sectors)]);
        Ok(())
    }

    /// Writes `from`. A failed write may have changed any of the sectors it could.
    pub fn write(&mut self, start: u64, from: &[u8], rng: &mut Rng) -> Result<(), DiskError> {
        if let Some(error) = self.dead {
            return Err(error);
        }
        let sectors = (from.len() / SECTOR_BYTES) as u64;
        let refused: Vec<u64> = self
            .faults
            .range(start..start + sectors)
            .filter(|(_, fault)| matches!(fault, Fault::Dead | Fault::Unwritable))
            .map(|(sector, _)| *sector)
            .collect();
        for (sector, bytes) in (start..).zip(from.as_chunks::<SECTOR_BYTES>().0) {
            if refused.is_empty() || (!refused.contains(&sector) && rng.bool()) {
                self.store(sector, bytes);
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(self.error) }
    }

    fn store(&mut self, sector: u64, bytes: &SectorBytes) {
        let at = place_of(sector, 1);
        let place = &mut self.data[at];
        let old: SectorBytes = (&*place).try_into().expect("a sector");
        self.unflushed.entry(sector).or_default().push(old);
        place.copy_from_slice(bytes);
        if matches!(self.faults.get(&sector), Some(Fault::Unreadable | Fault::Flaky(_))) {
            self.faults.remove(&sector);
        }
    }

    /// Makes everything durable.
    pub fn flush(&mut self) -> Result<(), DiskError> {
        if let Some(error) = self.dead {
            return Err(error);
        }
        self.unflushed.clear();
        Ok(())
    }

    /// Cuts the power: each sector keeps its content, or any that it had since the last flush.
    pub fn power_cut(&mut self, rng: &mut Rng) {
        // Now and then nothing at all was written, or everything: both are likely in life.
        let style = rng.u8(..8);
        for (sector, versions) in std::mem::take(&mut self.unflushed) {
            let choice = match style {
                0 => 0,
                1 => versions.len(),
                _ => rng.usize(..=versions.len()),
            };
            if let Some(version) = versions.get(choice) {
                let at = place_of(sector, 1);
                self.data[at].copy_from_slice(version);
            }
        }
    }

    /// Flips one bit of a sector, as rot does. Durable at once.
    pub fn flip_bit(&mut self, sector: u64, rng: &mut Rng) {
        let at = place_of(sector, 1);
        let byte = rng.usize(at);
        self.data[byte] ^= 1 << rng.u8(..8);
    }

    /// Breaks a sector.
    pub fn break_sector(&mut self, sector: u64, fault: Fault) {
        self.faults.insert(sector, fault);
    }

    /// What is wrong with a sector.
    pub fn fault(&self, sector: u64) -> Option<Fault> {
        self.faults.get(&sector).copied()
    }

    /// Fills the disk, durably. For preparing it.
    pub fn prepare(&mut self, start: u64, bytes: &[u8]) {
        let at = place_of(start, (bytes.len() / SECTOR_BYTES) as u64);
        self.data[at].copy_from_slice(bytes);
    }
}

/// Where sectors lie in the disk's memory.
fn place_of(start: u64, sectors: u64) -> std::ops::Range<usize> {
    start as usize * SECTOR_BYTES..(start + sectors) as usize * SECTOR_BYTES
}
