//! A disk whose bad sectors are chosen sector by sector, and changed while it is in use.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::sectors_of;
use crate::dm::{Device, Table};

/// A mapped device of `linear` and `error` pieces on top of a disk that does not fail. Bad sectors fail reads
/// and writes; beneath them the disk keeps what was there.
#[derive(Debug)]
pub struct BadDisk {
    device: Device,
    base: PathBuf,
    sectors: u64,
}

impl BadDisk {
    /// All of `base`, without a bad sector yet.
    pub fn new(name: &str, base: &Path) -> Result<Self> {
        let sectors = sectors_of(base)?;
        let device = Device::create(name, &table(base, sectors, &[])?)?;
        Ok(Self { device, base: base.to_path_buf(), sectors })
    }

    /// Its node.
    pub fn path(&self) -> PathBuf {
        self.device.path()
    }

    /// Its size in sectors.
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Makes exactly the sectors of `bad`, which are in order and apart, fail from now on. Requests that are under way end
    /// first.
    pub fn set_bad(&self, bad: &[Range<u64>]) -> Result<()> {
        self.device.reload(&table(&self.base, self.sectors, bad)?)
    }

    /// The same with sectors that `choose` picks while no request is under way, so that what is below does not
    /// change meanwhile. Gives them back.
    pub fn choose_bad(&self, choose: impl FnOnce() -> Result<Vec<Range<u64>>>) -> Result<Vec<Range<u64>>> {
        self.device.suspend_without_flush()?;
        let chosen = choose().and_then(|bad| {
            self.device.load(&table(&self.base, self.sectors, &bad)?)?;
            Ok(bad)
        });
        self.device.resume()?;
        chosen
    }

    /// Makes it fail altogether, as a disk that is gone.
    pub fn die(&self) -> Result<()> {
        self.device.reload(&Table::new().error(self.sectors))
    }
}

fn table(base: &Path, sectors: u64, bad: &[Range<u64>]) -> Result<Table> {
    let mut table = Table::new();
    for range in bad {
        let at = table.sectors();
        ensure!(at <= range.start && range.start < range.end && range.end <= sectors, "bad sectors {bad:?}");
        table = table.linear(range.start - at, base, at).error(range.end - range.start);
    }
    let at = table.sectors();
    Ok(table.linear(sectors - at, base, at))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::table;

    #[test]
    fn bad_sectors_become_pieces_that_fail_and_all_else_stays_where_it_is() {
        let ram = Path::new("/dev/ram0");
        let found = table(ram, 100, &[0..1, 7..8, 8..10, 99..100]).unwrap().to_string();
        assert_eq!(
            found,
            "0 1 error\n1 6 linear /dev/ram0 1\n7 1 error\n8 2 error\n10 89 linear /dev/ram0 10\n99 1 error"
        );
        assert_eq!(table(ram, 8, &[]).unwrap().to_string(), "0 8 linear /dev/ram0 0");
        assert!(table(ram, 8, &[4..5, 3..4]).is_err());
        assert!(table(ram, 8, &[7..9]).is_err());
    }
}
