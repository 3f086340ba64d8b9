//! The project's own target: devices of it, what their status line says, and the tables that make them.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::disks::sectors_of;
use crate::dm::{Device, Table};

/// A table of the target over all of `main`, with `spare` and `options` (words, their number is counted here).
pub fn table(main: &Path, spare: &Path, options: &[&str]) -> Result<Table> {
    table_of("remap", main, spare, options)
}

/// The same under one of the target's other names.
pub fn table_of(target: &str, main: &Path, spare: &Path, options: &[&str]) -> Result<Table> {
    let mut arguments = format!("{} {}", main.display(), spare.display());
    if !options.is_empty() {
        arguments = format!("{arguments} {} {}", options.len(), options.join(" "));
    }
    Ok(Table::new().target(target, sectors_of(main)?, &arguments))
}

/// The table of one target that `dmsetup table` printed.
pub fn table_again(printed: &str) -> Result<Table> {
    let words: Vec<_> = printed.trim().splitn(4, ' ').collect();
    let [start, sectors, target, arguments] = words[..] else { bail!("no table of one line: {printed:?}") };
    ensure!(start == "0", "a table that does not start at 0: {printed:?}");
    Ok(Table::new().target(target, sectors.parse()?, arguments))
}

/// What the status line of a set says, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `ok`, `degraded`, `failing` or `read-only`.
    pub state: String,
    /// Blocks with a mapping.
    pub moved_blocks: u64,
    /// Sectors that nobody holds.
    pub lost_sectors: u64,
    /// Slots in use.
    pub slots_used: u64,
    /// Slots on all spares.
    pub slots_total: u64,
    /// Slots that failed.
    pub retired: u64,
    /// From 0 to 100.
    pub health: u64,
    /// Errors of the main device when reading.
    pub read_errors: u64,
    /// Errors of the main device when writing.
    pub write_errors: u64,
    /// Errors of metadata.
    pub metadata_errors: u64,
    /// Of the metadata written last.
    pub generation: u64,
    /// A word for each spare.
    pub spares: Vec<String>,
}

impl Status {
    /// Of a running set.
    pub fn of(device: &Device) -> Result<Self> {
        let line = device.status()?;
        let fields: Vec<_> = line.split_whitespace().skip(3).collect();
        Self::parse(&fields).with_context(|| format!("a status line {line:?}"))
    }

    /// Of the words behind the target's name.
    fn parse(fields: &[&str]) -> Result<Self> {
        let word = |at: usize| fields.get(at).copied().context("too few fields");
        let number = |at: usize| word(at)?.parse::<u64>().with_context(|| format!("field {at} is no number"));
        let (used, total) = word(3)?.split_once('/').context("no slots")?;
        Ok(Self {
            state: word(0)?.to_owned(),
            moved_blocks: number(1)?,
            lost_sectors: number(2)?,
            slots_used: used.parse()?,
            slots_total: total.parse()?,
            retired: number(4)?,
            health: number(5)?,
            read_errors: number(6)?,
            write_errors: number(7)?,
            metadata_errors: number(8)?,
            generation: number(9)?,
            spares: fields[10..].iter().map(|&word| word.to_owned()).collect(),
        })
    }
}

/// The value of a line `name value` or of a pair of words `name value` in the answer to a message.
pub fn figure(answer: &str, name: &str) -> Result<u64> {
    let words: Vec<_> = answer.split_whitespace().collect();
    let value = words.windows(2).find(|pair| pair[0] == name).with_context(|| format!("no {name} in {answer:?}"))?;
    value[1].parse().with_context(|| format!("{name} is {:?}", value[1]))
}

#[cfg(test)]
mod tests {
    use super::{Status, figure, table_again};

    #[test]
    fn a_status_line_is_taken_apart() {
        let line = "degraded 2 1 2/1000 3 88 4 5 6 7168 1:present 2:offline";
        let status = Status::parse(&line.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!((&*status.state, status.moved_blocks, status.lost_sectors), ("degraded", 2, 1));
        assert_eq!((status.slots_used, status.slots_total, status.retired, status.health), (2, 1000, 3, 88));
        assert_eq!((status.read_errors, status.write_errors, status.metadata_errors), (4, 5, 6));
        assert_eq!((status.generation, status.spares.len()), (7168, 2));
        assert!(Status::parse(&["halted"]).is_err());
    }

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
