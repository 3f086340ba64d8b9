//! The kernel's target `log-writes`, which remembers every write to a disk, and what it remembered: so that a
//! disk can be brought to what it held at any moment.
//!
//! A write stands in the log once it is flushed, or when the log ends; until then a power cut may lose it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::direct::{Direct, SECTOR_BYTES};
use crate::disks::sectors_of;
use crate::dm::{Device, Table};
use crate::guest;

/// What a log starts with, as in the kernel's `dm-log-writes.c`.
const MAGIC: u64 = 0x006a_7366_7773_6872;
/// An entry is of a discard, and has no data behind it.
const DISCARD: u64 = 1 << 2;
/// An entry is a mark.
const MARK: u64 = 1 << 3;
/// Where an entry's own words end, and the words of a mark begin.
const HEAD_BYTES: usize = 32;

/// A disk whose writes are logged.
#[derive(Debug)]
pub struct LoggedDisk {
    device: Device,
    log: PathBuf,
}

impl LoggedDisk {
    /// All of `disk`, logged to all of the disk `log`.
    pub fn new(name: &str, disk: &Path, log: &Path) -> Result<Self> {
        guest::load("dm_log_writes", &[])?;
        let arguments = format!("{} {}", disk.display(), log.display());
        let table = Table::new().target("log-writes", sectors_of(disk)?, &arguments);
        Ok(Self { device: Device::create(name, &table)?, log: log.to_path_buf() })
    }

    /// Its node.
    pub fn path(&self) -> PathBuf {
        self.device.path()
    }

    /// Marks this moment.
    pub fn mark(&self, name: &str) -> Result<()> {
        self.device.message(&format!("mark {name}")).map(drop)
    }

    /// Ends the log, and reads it.
    pub fn end(self) -> Result<WriteLog> {
        self.device.remove()?;
        WriteLog::read(&self.log)
    }
}

/// What was written to a disk, in order.
#[derive(Debug, Default)]
pub struct WriteLog {
    entries: Vec<Entry>,
    marks: Vec<(String, usize)>,
}

/// A write.
#[derive(Debug)]
struct Entry {
    sector: u64,
    sectors: u64,
    /// None for a discard.
    data: Option<Vec<u8>>,
}

impl WriteLog {
    /// The log on a disk.
    pub fn read(log: &Path) -> Result<Self> {
        let io = Direct::open(log)?;
        let head = io.read(0, 1)?;
        let number = |bytes: &[u8], at: usize| {
            bytes.get(at * 8..at * 8 + 8).and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)))
        };
        ensure!(number(&head, 0) == Some(MAGIC), "{} is no log", log.display());
        let count = number(&head, 2).context("a log without a head")?;
        let (mut log, mut at) = (Self::default(), 1);
        for _ in 0..count {
            let head = io.read(at, 1)?;
            at += 1;
            let word = |index: usize| number(&head, index).context("an entry without a head");
            let (sector, sectors, flags, length) = (word(0)?, word(1)?, word(2)?, word(3)?);
            if flags & MARK != 0 {
                let words = head.get(HEAD_BYTES..HEAD_BYTES + usize::try_from(length)?);
                let words = String::from_utf8_lossy(words.context("a mark that is too long")?);
                let name = words.trim_end_matches('\0').to_owned();
                log.marks.push((name, log.entries.len()));
                continue;
            }
            let data = if flags & DISCARD == 0 && sectors > 0 {
                let data = io.read(at, usize::try_from(sectors)?)?;
                at += sectors;
                Some(data)
            } else {
                None
            };
            log.entries.push(Entry { sector, sectors, data });
        }
        Ok(log)
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many writes are in front of the mark of this name.
    pub fn mark(&self, name: &str) -> Result<usize> {
        let mark = self.marks.iter().find(|(mark, _)| mark == name);
        mark.map(|(_, at)| *at).with_context(|| format!("no mark {name}"))
    }

    /// Does to `image` what some of the writes did to the disk.
    pub fn replay(&self, writes: Range<usize>, image: &mut [u8]) -> Result<()> {
        for entry in self.entries.get(writes).context("writes that are not in the log")? {
            let start = usize::try_from(entry.sector)? * SECTOR_BYTES;
            let length = usize::try_from(entry.sectors)? * SECTOR_BYTES;
            let piece = image.get_mut(start..start + length).context("a write behind the end of the disk")?;
            match &entry.data {
                Some(data) => piece.copy_from_slice(data),
                None => piece.fill(0),
            }
        }
        Ok(())
    }
}
