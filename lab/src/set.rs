//! Sets of the kernel target: their table lines, their status and messages, and what lies on their spares.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::direct::{Direct, SECTOR_BYTES};
use crate::disks::sectors_of;
use crate::dm::{Device, Table};

/// Sectors of a block of the default size.
pub const BLOCK: u64 = 8;
/// Where the superblock copies lie, in sectors.
pub const SUPERBLOCKS: [u64; 5] = [0, 1024, 2048, 4096, 8192];
/// How many sectors are read at once.
const CHUNK: u64 = 2048;

/// The line of a set.
#[derive(Clone, Debug)]
pub struct Line {
    main: PathBuf,
    spare: String,
    options: Vec<String>,
    sectors: Option<u64>,
}

impl Line {
    /// All of `main`, with one spare.
    pub fn new(main: &Path, spare: &Path) -> Self {
        let spare = spare.display().to_string();
        Self { main: main.to_path_buf(), spare, options: Vec::new(), sectors: None }
    }

    /// Only `sectors` sectors of the spare, from its sector `start` on.
    #[must_use]
    pub fn window(mut self, start: u64, sectors: u64) -> Self {
        self.spare = format!("{} {start} {sectors}", self.spare);
        self
    }

    /// A further spare.
    #[must_use]
    pub fn spare(self, spare: &Path) -> Self {
        self.option(&format!("spare {}", spare.display()))
    }

    /// Words that are an option.
    #[must_use]
    pub fn option(mut self, words: &str) -> Self {
        self.options.extend(words.split(' ').map(str::to_owned));
        self
    }

    /// Only the first `sectors` sectors of the set.
    #[must_use]
    pub fn sectors(mut self, sectors: u64) -> Self {
        self.sectors = Some(sectors);
        self
    }

    /// The arguments behind the name of the target.
    pub fn arguments(&self) -> String {
        let devices = format!("{} {}", self.main.display(), self.spare);
        if self.options.is_empty() {
            return devices;
        }
        format!("{devices} {} {}", self.options.len(), self.options.join(" "))
    }

    /// The table of this line alone.
    pub fn table(&self) -> Result<Table> {
        let sectors = self.sectors.map_or_else(|| sectors_of(&self.main), Ok)?;
        Ok(Table::new().target("remap", sectors, &self.arguments()))
    }

    /// A running device.
    pub fn create(&self, name: &str) -> Result<Device> {
        Device::create(name, &self.table()?)
    }
}

/// The line of `dmsetup status`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `ok`, `degraded`, `failing`, `read-only`.
    pub state: String,
    /// Sectors that nobody holds.
    pub lost: u64,
    /// Slots in use.
    pub used: u64,
    /// Slots in all.
    pub total: u64,
    /// Slots that failed.
    pub retired: u64,
    /// 0 to 100.
    pub health: u64,
    /// Metadata copies that could not be read or written.
    pub metadata_errors: u64,
    /// Of the map pages.
    pub generation: u64,
    /// `NUMBER:STATE` of each.
    pub spares: Vec<String>,
}

impl Status {
    /// Of a device of one target.
    pub fn of(device: &Device) -> Result<Self> {
        let line = device.status()?;
        Self::parse(&line).with_context(|| format!("a status of {line:?}"))
    }

    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().skip(3).collect();
        let number = |at: usize| words.get(at)?.parse::<u64>().ok();
        let (used, total) = words.get(3)?.split_once('/')?;
        Some(Self {
            state: (*words.first()?).to_owned(),
            lost: number(2)?,
            used: used.parse().ok()?,
            total: total.parse().ok()?,
            retired: number(4)?,
            health: number(5)?,
            metadata_errors: number(8)?,
            generation: number(9)?,
            spares: words.get(10..)?.iter().map(|&word| word.to_owned()).collect(),
        })
    }
}

/// A block that has left the main device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The first sector of the block.
    pub start: u64,
    /// The number of the spare, from 1.
    pub spare: u64,
    /// The first sector of its slot.
    pub slot: u64,
    /// A bit for each sector that the slot holds.
    pub moved: u16,
    /// A bit for each sector that nobody holds.
    pub lost: u16,
}

/// All mappings of a set.
pub fn mappings(device: &Device) -> Result<Vec<Mapping>> {
    let mut mappings = Vec::new();
    let mut from = 0_u64;
    loop {
        let answer = device.message(&format!("mappings {from}"))?;
        let mut next = None;
        for line in answer.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["next", number] => next = number.parse().ok(),
                [start, spare, slot, moved, lost] => mappings.push(Mapping {
                    start: start.parse()?,
                    spare: spare.parse()?,
                    slot: slot.parse()?,
                    moved: u16::from_str_radix(moved, 16)?,
                    lost: u16::from_str_radix(lost, 16)?,
                }),
                _ => anyhow::bail!("a mapping of {line:?}"),
            }
        }
        match next {
            Some(next) if next > from && next < u64::from(u32::MAX) => from = next,
            _ => return Ok(mappings),
        }
    }
}

/// What lies on a disk: a number that changes with any byte of it.
pub fn digest(disk: &Path) -> Result<u64> {
    // FNV-1a over words of eight bytes, spread by a rotation.
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    each_chunk(disk, |_, bytes| {
        for word in bytes.as_chunks::<8>().0 {
            digest = (digest ^ u64::from_le_bytes(*word)).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
    })?;
    Ok(digest)
}

/// Where the copies of the map pages lie on a spare, by the number of the page.
pub fn pages(spare: &Path) -> Result<BTreeMap<u32, Vec<u64>>> {
    let mut pages = BTreeMap::<u32, Vec<u64>>::new();
    each_chunk(spare, |start, bytes| {
        for (at, page) in bytes.as_chunks::<4096>().0.iter().enumerate() {
            if page.starts_with(b"RMPG") {
                let index = u32::from_le_bytes([page[12], page[13], page[14], page[15]]);
                pages.entry(index).or_default().push(start + at as u64 * 8);
            }
        }
    })?;
    ensure!(!pages.is_empty(), "{} has no map pages", spare.display());
    Ok(pages)
}

fn each_chunk(disk: &Path, mut visit: impl FnMut(u64, &[u8])) -> Result<()> {
    let (io, sectors) = (Direct::open(disk)?, sectors_of(disk)?);
    let mut at = 0;
    while at < sectors {
        let count = CHUNK.min(sectors - at);
        let bytes = io.read(at, usize::try_from(count)?);
        visit(at, &bytes.with_context(|| format!("reading {} at {at}", disk.display()))?);
        at += count;
    }
    Ok(())
}

/// What was on a piece of a disk before it was overwritten.
#[derive(Debug)]
pub struct Damage {
    disk: PathBuf,
    at: u64,
    before: Vec<u8>,
}

impl Damage {
    /// Overwrites a structure of 4096 bytes with what is none.
    pub fn to(disk: &Path, at: u64) -> Result<Self> {
        let io = Direct::open(disk)?;
        let before = io.read(at, 8)?;
        io.write(at, &vec![0xd5; 8 * SECTOR_BYTES])?;
        Ok(Self { disk: disk.to_path_buf(), at, before })
    }

    /// Puts it back as it was.
    pub fn undo(&self) -> Result<()> {
        Ok(Direct::open(&self.disk)?.write(self.at, &self.before)?)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Line, Status};

    #[test]
    fn a_line_counts_the_words_of_its_options() {
        let line = Line::new(Path::new("/dev/a"), Path::new("/dev/b")).sectors(64);
        assert_eq!(line.table().unwrap().to_string(), "0 64 remap /dev/a /dev/b");
        let line = line.window(8, 16).spare(Path::new("/dev/c")).option("read_only");
        assert_eq!(line.arguments(), "/dev/a /dev/b 8 16 3 spare /dev/c read_only");
    }

    #[test]
    fn a_status_is_taken_apart_by_its_fields() {
        let status =
            Status::parse("0 64 remap degraded 3 2 3/90 1 88 5 6 7 2049 1:present 2:missing").unwrap();
        assert_eq!((&*status.state, status.lost, status.used, status.total), ("degraded", 2, 3, 90));
        assert_eq!((status.retired, status.health, status.metadata_errors), (1, 88, 7));
        assert_eq!((status.generation, status.spares.len()), (2049, 2));
        assert!(Status::parse("0 64 remap halted").is_none());
    }
}
