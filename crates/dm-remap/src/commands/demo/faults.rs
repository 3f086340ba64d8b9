//! Where the disk goes bad, and when: the fault script, and what is added to it while the load runs.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use remap_core::{Sector, SectorRange};

use super::load::{Load, METADATA_PAGES, PAGE};
use super::random::Random;

/// Longer than a watched script goes unnoticed.
const NOTICED: Duration = Duration::from_millis(60);

/// The script, and what is in it.
pub struct Faults {
    path: PathBuf,
    random: Random,
    pages: u64,
    bad: Vec<SectorRange>,
}

impl Faults {
    /// An empty script at `path` for a disk of `sectors` sectors.
    pub fn new(path: &Path, sectors: u64, seed: u64) -> Result<Self> {
        std::fs::write(path, "# sectors of 512 bytes: first, count\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), random: Random::new(!seed), pages: sectors / PAGE, bad: Vec::new() })
    }

    /// How many sectors are bad.
    pub fn bad_sectors(&self) -> u64 {
        self.bad.iter().map(|range| range.sectors).sum()
    }

    /// Where the bad sectors are.
    pub fn bad(&self) -> &[SectorRange] {
        &self.bad
    }

    /// More bad sectors. Where nothing is stored yet, they can neither be read nor written; where files are,
    /// they can still be read and no longer be written, as on a drive that has run out of its own spares.
    pub fn spread(&mut self, load: &Load, clusters: usize) -> Result<()> {
        let mut lines = String::new();
        for _ in 0..clusters {
            let page = self.random.below(self.pages);
            let range = self.cluster(page, 12);
            let verb = if pages_of(range).any(|page| load.is_used(page)) { "bad-write" } else { "bad" };
            self.add(&mut lines, verb, range);
        }
        // Metadata is a small part of a disk and the most written: without help it would be missed.
        let page = self.random.below(METADATA_PAGES / 4);
        let range = self.cluster(page, 3);
        self.add(&mut lines, "bad-write", range);
        self.append(&lines)
    }

    /// Sectors that hold the only copy of something go bad for good; one in each of `count` pages that are
    /// healthy so far. What they hold is lost to everyone.
    pub fn kill_only_copies(&mut self, load: &Load, count: usize) -> Result<Vec<Sector>> {
        let mut lines = String::new();
        let mut killed: Vec<Sector> = Vec::new();
        while killed.len() < count {
            let page = METADATA_PAGES + self.random.below(self.pages - METADATA_PAGES);
            let sector = Sector(page * PAGE + self.random.below(PAGE));
            let whole = SectorRange::new(Sector(page * PAGE), PAGE);
            let is_healthy = !self.bad.iter().any(|bad| bad.overlaps(whole));
            if load.is_used(page) && load.issued(sector) > 0 && is_healthy {
                self.add(&mut lines, "bad", SectorRange::new(sector, 1));
                killed.push(sector);
            }
        }
        self.append(&lines)?;
        Ok(killed)
    }

    /// A run of bad sectors in `page`, sometimes reaching into the next.
    fn cluster(&mut self, page: u64, most: u64) -> SectorRange {
        let start = page * PAGE + self.random.below(PAGE);
        let sectors = 1 + self.random.below(most);
        SectorRange::new(Sector(start), sectors.min(self.pages * PAGE - start))
    }

    fn add(&mut self, lines: &mut String, verb: &str, range: SectorRange) {
        if self.bad.iter().any(|bad| bad.overlaps(range)) {
            return;
        }
        let _ = writeln!(lines, "{verb} {} {}", range.start, range.sectors);
        self.bad.push(range);
    }

    /// Adds to the script, and waits until whoever watches it has noticed.
    fn append(&self, lines: &str) -> Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        let mut file = OpenOptions::new().append(true).open(&self.path).with_context(failed)?;
        file.write_all(lines.as_bytes()).with_context(failed)?;
        std::thread::sleep(NOTICED);
        Ok(())
    }
}

fn pages_of(range: SectorRange) -> impl Iterator<Item = u64> {
    range.start.0 / PAGE..range.end().0.div_ceil(PAGE)
}
