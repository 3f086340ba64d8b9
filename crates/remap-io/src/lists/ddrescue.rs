//! Mapfiles of GNU ddrescue: which bytes of a disk were rescued and which are bad.
//!
//! Reads and writes the format of the chapter "Mapfile structure" of its manual: comment lines, a status line, then lines
//! of position, size and status that follow each other without gap. `text` is the reader.

use std::fmt;

use remap_core::units::{MAX_SECTORS, SECTOR_BYTES};
use remap_core::{Sector, SectorRange};

use super::merged;

mod text;

pub use text::{MAX_BLOCKS, MAX_LINE_BYTES, MapfileError, MapfileProblem};

/// What is known of a block of a mapfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockStatus {
    /// `?`: nobody has tried to read it.
    NonTried,
    /// `*`: reading it as one failed; where its bad part begins and ends is not known.
    NonTrimmed,
    /// `/`: its edges are bad; what lies between was not tried sector by sector.
    NonScraped,
    /// `-`: bad.
    BadSector,
    /// `+`: rescued.
    Finished,
}

/// What a rescue was doing when the mapfile was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// `?`: copying what was not tried.
    Copying,
    /// `*`: trimming.
    Trimming,
    /// `/`: scraping.
    Scraping,
    /// `-`: retrying bad sectors.
    Retrying,
    /// `F`: filling blocks of a given status.
    Filling,
    /// `G`: generating a mapfile from a rescued image.
    Generating,
    /// `+`: nothing any more.
    Finished,
}

/// A run of bytes of one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapBlock {
    /// Where it starts, in bytes.
    pub start_bytes: u64,
    /// How long it is, in bytes; never 0.
    pub len_bytes: u64,
    /// What is known of it.
    pub status: BlockStatus,
}

/// A mapfile: valid by construction. Its blocks follow each other without gap or overlap and end before byte 2^63.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapfile {
    position_bytes: u64,
    activity: Activity,
    pass: Option<u32>,
    blocks: Vec<MapBlock>,
}

/// Which statuses count as bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadMeans {
    /// `-` alone: shown to be bad.
    #[default]
    BadSector,
    /// `-`, `*` and `/`: whatever was tried and could not be read yet, good sectors among it.
    Failed,
}

impl Mapfile {
    /// Reads a mapfile, strictly: see [`MapfileProblem`] for what is refused. Comments are dropped.
    pub fn parse(text: &[u8]) -> Result<Self, MapfileError> {
        text::parse(text)
    }

    /// The mapfile of a finished rescue of a disk of `sectors` sectors on which `bad` could not be read:
    /// `-` there, `+` elsewhere. What lies behind the end of the disk is left out.
    pub fn of_bad_sectors(bad: &[SectorRange], sectors: u64) -> Self {
        let disk = SectorRange::new(Sector(0), sectors.min(MAX_SECTORS - 1));
        let bad = merged(bad.iter().filter_map(|range| range.intersection(disk)).collect());
        let mut blocks = Vec::new();
        let mut push = |start: Sector, end: Sector, status| {
            if start < end {
                let len_bytes = end.bytes() - start.bytes();
                blocks.push(MapBlock { start_bytes: start.bytes(), len_bytes, status });
            }
        };
        let mut next = Sector(0);
        for range in bad {
            push(next, range.start, BlockStatus::Finished);
            push(range.start, range.end(), BlockStatus::BadSector);
            next = range.end();
        }
        push(next, disk.end(), BlockStatus::Finished);
        Self { position_bytes: 0, activity: Activity::Finished, pass: Some(1), blocks }
    }

    /// The sectors that are bad, ascending and merged. A sector of which one byte is bad is bad.
    pub fn bad_sectors(&self, means: BadMeans) -> Vec<SectorRange> {
        let is_bad = |status| match status {
            BlockStatus::BadSector => true,
            BlockStatus::NonTrimmed | BlockStatus::NonScraped => means == BadMeans::Failed,
            BlockStatus::NonTried | BlockStatus::Finished => false,
        };
        let bad = self.blocks.iter().filter(|block| is_bad(block.status));
        merged(bad.map(MapBlock::sectors).collect())
    }

    /// The blocks, ascending.
    pub fn blocks(&self) -> &[MapBlock] {
        &self.blocks
    }

    /// Where the rescue was, in bytes.
    pub fn position_bytes(&self) -> u64 {
        self.position_bytes
    }

    /// What the rescue was doing.
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// In which pass of that it was, from 1; ddrescue before 1.20 does not tell.
    pub fn pass(&self) -> Option<u32> {
        self.pass
    }
}

impl MapBlock {
    /// The sectors that hold a byte of it.
    pub fn sectors(&self) -> SectorRange {
        let first = self.start_bytes / SECTOR_BYTES as u64;
        let end = (self.start_bytes + self.len_bytes).div_ceil(SECTOR_BYTES as u64);
        SectorRange::new(Sector(first), end - first)
    }
}

impl BlockStatus {
    const ALL: [(u8, Self); 5] = [
        (b'?', Self::NonTried),
        (b'*', Self::NonTrimmed),
        (b'/', Self::NonScraped),
        (b'-', Self::BadSector),
        (b'+', Self::Finished),
    ];
}

impl Activity {
    const ALL: [(u8, Self); 7] = [
        (b'?', Self::Copying),
        (b'*', Self::Trimming),
        (b'/', Self::Scraping),
        (b'-', Self::Retrying),
        (b'F', Self::Filling),
        (b'G', Self::Generating),
        (b'+', Self::Finished),
    ];
}

/// The character for a value of one of the two tables.
fn character<T: PartialEq + Copy>(table: &[(u8, T)], value: T) -> char {
    let found = table.iter().find(|(_, known)| *known == value);
    char::from(found.expect("the table holds every value").0)
}

impl fmt::Display for Mapfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Mapfile. Created by dm-remap {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "# current_pos  current_status  current_pass")?;
        write!(f, "0x{:08X}     {}", self.position_bytes, character(&Activity::ALL, self.activity))?;
        match self.pass {
            Some(pass) => writeln!(f, "               {pass}")?,
            None => writeln!(f)?,
        }
        writeln!(f, "#      pos        size  status")?;
        for MapBlock { start_bytes, len_bytes, status } in &self.blocks {
            let status = character(&BlockStatus::ALL, *status);
            writeln!(f, "0x{start_bytes:08X}  0x{len_bytes:08X}  {status}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
