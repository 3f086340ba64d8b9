//! A disk in memory: sparse, with a volatile cache, and faults by script.

use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};
use std::collections::{BTreeMap, HashMap};

type SectorBytes = [u8; SECTOR_BYTES];

/// What a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Reads,
    Writes,
    Both,
}

/// Sectors that fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub range: SectorRange,
    pub on: On,
    pub error: DiskError,
    /// How often before it is over.
    pub times: u32,
}

/// Sectors that were never written hold what the disk was made with.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub sectors: u64,
    /// What a sector holds by its number; zeros without it.
    made_with: Option<fn(u64) -> SectorBytes>,
    content: HashMap<u64, SectorBytes>,
    /// What sectors held at the last flush that were written since.
    unflushed: BTreeMap<u64, SectorBytes>,
    pub faults: Vec<Fault>,
    /// Answers nothing but this.
    pub dead: Option<DiskError>,
}

impl Disk {
    pub fn new(sectors: u64) -> Self {
        Self { sectors, ..Self::default() }
    }

    /// A disk whose sectors hold what `content` says.
    pub fn filled(sectors: u64, content: fn(u64) -> SectorBytes) -> Self {
        Self { made_with: Some(content), ..Self::new(sectors) }
    }

    /// From now on, accesses to the range fail.
    pub fn fail(&mut self, start: u64, sectors: u64, on: On) {
        self.fail_with(start, sectors, on, DiskError::Medium, u32::MAX);
    }

    /// The next `times` accesses to the range fail with `error`.
    pub fn fail_with(&mut self, start: u64, sectors: u64, on: On, error: DiskError, times: u32) {
        self.faults.push(Fault { range: SectorRange::new(Sector(start), sectors), on, error, times });
    }

    /// The content of one sector, whatever its faults.
    pub fn peek(&self, sector: u64) -> SectorBytes {
        let made = || self.made_with.map_or([0; SECTOR_BYTES], |content| content(sector));
        self.content.get(&sector).copied().unwrap_or_else(made)
    }

    /// Changes one sector behind everybody's back.
    pub fn poke(&mut self, sector: u64, bytes: &SectorBytes) {
        assert!(sector < self.sectors, "sector {sector} is behind the end");
        self.content.insert(sector, *bytes);
    }

    /// The sectors that were ever written, in order.
    pub fn written(&self) -> Vec<u64> {
        let mut sectors: Vec<u64> = self.content.keys().copied().collect();
        sectors.sort_unstable();
        sectors
    }

    pub fn read(&mut self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
        let range = self.range(start, into.len());
        let outcome = self.outcome(range, On::Reads);
        for (at, bytes) in (start.0..).zip(into.as_chunks_mut::<SECTOR_BYTES>().0) {
            // What a failed read leaves in memory is anything but the data.
            *bytes = if outcome.is_ok() { self.peek(at) } else { [0xee; SECTOR_BYTES] };
        }
        outcome
    }

    /// Of a write that fails, the sectors without a fault are written.
    pub fn write(&mut self, start: Sector, from: &[u8]) -> Result<(), DiskError> {
        let range = self.range(start, from.len());
        let outcome = self.outcome(range, On::Writes);
        if self.dead.is_some() {
            return outcome;
        }
        for (at, bytes) in (start.0..).zip(from.as_chunks::<SECTOR_BYTES>().0) {
            let sector = SectorRange::new(Sector(at), 1);
            let fails = |fault: &Fault| fault.on != On::Reads && fault.range.overlaps(sector);
            if outcome.is_err() && self.faults.iter().any(fails) {
                continue;
            }
            let before = self.peek(at);
            if before != *bytes {
                self.unflushed.entry(at).or_insert(before);
                self.content.insert(at, *bytes);
            }
        }
        outcome
    }

    pub fn flush(&mut self) -> Result<(), DiskError> {
        if let Some(error) = self.dead {
            return Err(error);
        }
        self.unflushed.clear();
        Ok(())
    }

    /// Loses what was written since the last flush, but for the sectors that `keep` tells.
    pub fn cut_power(&mut self, mut keep: impl FnMut(u64) -> bool) {
        for (sector, before) in std::mem::take(&mut self.unflushed) {
            if !keep(sector) {
                self.content.insert(sector, before);
            }
        }
    }

    fn range(&self, start: Sector, bytes: usize) -> SectorRange {
        assert!(bytes > 0 && bytes.is_multiple_of(SECTOR_BYTES), "{bytes} bytes are no sectors");
        let range = SectorRange::new(start, (bytes / SECTOR_BYTES) as u64);
        assert!(range.fits(self.sectors), "{range} is behind the end of {} sectors", self.sectors);
        range
    }

    fn outcome(&mut self, range: SectorRange, on: On) -> Result<(), DiskError> {
        if let Some(error) = self.dead {
            return Err(error);
        }
        let hit = self.faults.iter_mut().find(|fault| {
            fault.times > 0 && (fault.on == on || fault.on == On::Both) && fault.range.overlaps(range)
        });
        match hit {
            Some(fault) => {
                fault.times = fault.times.saturating_sub(u32::from(fault.times != u32::MAX));
                Err(fault.error)
            }
            None => Ok(()),
        }
    }
}
