//! What most scenarios of the target start with: a set on two RAM disks, the main one with bad sectors.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{BadDisk, RamDisks};
use crate::dm::{Device, Table};
use crate::klog;
use crate::scenario::Next;
use crate::set::{Line, Status};

/// A set and what it lies on. Dropped from the top of the stack to its ground.
#[derive(Debug)]
pub struct OnRam {
    device: Option<Device>,
    bad: BadDisk,
    ram: RamDisks,
    options: &'static str,
}

impl OnRam {
    /// A set of the name `set` with `options` (words, none if empty); its disks have `mebibytes` MiB each. `prepare`
    /// is given the main disk first.
    pub fn new(
        mebibytes: u64,
        options: &'static str,
        prepare: impl FnOnce(&BadDisk) -> Result<()>,
    ) -> Result<Self> {
        let ram = RamDisks::new(2, mebibytes)?;
        let bad = BadDisk::new("main", ram.path(0))?;
        prepare(&bad)?;
        let mut set = Self { device: None, bad, ram, options };
        set.create()?;
        Ok(set)
    }

    /// The mapped device.
    pub fn device(&self) -> Result<&Device> {
        self.device.as_ref().context("the set is not running")
    }

    /// The main disk.
    pub fn main(&self) -> &BadDisk {
        &self.bad
    }

    /// The spare.
    pub fn spare(&self) -> &Path {
        self.ram.path(1)
    }

    /// The main disk without its bad sectors.
    pub fn below_main(&self) -> &Path {
        self.ram.path(0)
    }

    /// Its table.
    pub fn table(&self) -> Result<Table> {
        let line = Line::new(&self.bad.path(), self.spare());
        if self.options.is_empty() { line.table() } else { line.option(self.options).table() }
    }

    /// Opens it for direct IO.
    pub fn io(&self) -> Result<Direct> {
        Direct::open(&self.device()?.path())
    }

    /// A count of its statistics.
    pub fn count(&self, name: &str) -> Result<u64> {
        figure(&self.device()?.message("stats")?, name)
    }

    /// What it says of itself.
    pub fn status(&self) -> Result<Status> {
        Status::of(self.device()?)
    }

    /// Stops it.
    pub fn remove(&mut self) -> Result<()> {
        self.device.take().context("the set is not running")?.remove()
    }

    /// Starts it.
    pub fn create(&mut self) -> Result<()> {
        self.device = Some(Device::create("set", &self.table()?)?);
        Ok(())
    }

    /// Stops it and starts it again.
    pub fn again(&mut self) -> Result<()> {
        self.remove()?;
        self.create()
    }
}

/// The table of one target that `dmsetup table` printed.
pub fn table_again(printed: &str) -> Result<Table> {
    let words: Vec<_> = printed.trim().splitn(4, ' ').collect();
    let ["0", sectors, target, arguments] = words[..] else { bail!("no table of one target: {printed:?}") };
    Ok(Table::new().target(target, sectors.parse()?, arguments))
}

/// The value behind the word `name` in the answer to a message.
pub fn figure(answer: &str, name: &str) -> Result<u64> {
    let words: Vec<_> = answer.split_whitespace().collect();
    let value = words.windows(2).find(|pair| pair[0] == name);
    let value = value.with_context(|| format!("no {name} in {answer:?}"))?[1];
    value.parse().with_context(|| format!("{name} is {value:?}"))
}

/// Single sectors as ranges, for a [`BadDisk`].
pub fn ranges(sectors: &[u64]) -> Vec<Range<u64>> {
    sectors.iter().map(|&sector| sector..sector + 1).collect()
}

/// A part of a scenario.
pub type Story = fn(&Checks) -> Result<()>;

/// Plays each of `stories`, whatever becomes of the others.
pub fn play_all(checks: &Checks, stories: &[(&str, Story)]) -> Result<Next> {
    for (name, story) in stories {
        klog::say(&format!("part {name}"))?;
        if let Err(error) = story(checks) {
            checks.failed(name, format!("{error:#}"));
        }
    }
    Ok(Next::Done)
}

#[cfg(test)]
mod tests {
    use super::{figure, table_again};

    #[test]
    fn a_printed_table_makes_the_same_line_again() {
        let line = "0 100 remap 254:0 1:1 2 on_lost zero";
        assert_eq!(table_again(&format!("{line}\n")).unwrap().to_string(), line);
        assert!(table_again("0 100 error").is_err());
        assert!(table_again("8 100 linear 1:1 0").is_err());
    }

    #[test]
    fn figures_are_found_by_name() {
        assert_eq!(figure("good 4 bad 0", "bad").unwrap(), 0);
        assert_eq!(figure("reads 7\nwrites 8\n", "writes").unwrap(), 8);
        assert!(figure("reads many", "reads").is_err());
        assert!(figure("reads 7", "writes").is_err());
    }
}
