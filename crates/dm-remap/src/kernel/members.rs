//! Which disks a device is made of, as its table line names them.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use dm_control::block::BlockDevice;
use dm_control::{Line, unescape_words};

use super::target::NAMES;

/// The disks of a set, as its line has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// Major and minor number, or whatever else the line names the main device by.
    pub main: String,
    /// In the order of the line.
    pub spares: Vec<String>,
    /// Where on the first spare the part begins that is used.
    pub first_spare_start: u64,
    /// It was opened read-only.
    pub is_read_only: bool,
}

/// Whether a table is a set's: one line from sector 0 on, of our target.
pub fn is_set(table: &[Line]) -> bool {
    matches!(table, [line] if line.range.start.0 == 0 && NAMES.contains(&&*line.target))
}

impl Members {
    /// Those that a line names.
    pub fn of_line(line: &Line) -> Result<Self> {
        Self::parse(&unescape_words(&line.arguments))
            .with_context(|| format!("a table line of {:?}", line.arguments))
    }

    fn parse(words: &[String]) -> Option<Self> {
        let (main, rest) = words.split_first()?;
        let (spare, mut rest) = rest.split_first()?;
        let number = |word: &String| word.parse::<u64>().ok();
        let mut first_spare_start = 0;
        // Options are never numbers, so two of these in a row are a part of the spare.
        if let [start, sectors, behind @ ..] = rest
            && let (Some(start), Some(_)) = (number(start), number(sectors))
        {
            (first_spare_start, rest) = (start, behind);
        }
        let mut members =
            Self { main: main.clone(), spares: vec![spare.clone()], first_spare_start, is_read_only: false };
        let Some((count, options)) = rest.split_first() else { return Some(members) };
        (number(count)? == options.len() as u64).then_some(())?;
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match &**option {
                "spare" => members.spares.push(options.next()?.clone()),
                "read_only" => members.is_read_only = true,
                "on_lost" => drop(options.next()?),
                _ => {}
            }
        }
        Some(members)
    }
}

/// The path by which a person knows a device that a table line names by its numbers: the file of a loop device, else its
/// node.
pub fn path(name: &str) -> PathBuf {
    BlockDevice::named(name)
        .and_then(|device| device.loop_file().or_else(|| device.node()))
        .unwrap_or_else(|| name.into())
}

#[cfg(test)]
mod tests {
    use dm_control::Line;
    use remap_core::{Sector, SectorRange};

    use super::{Members, is_set};

    fn line(target: &str, arguments: &str) -> Line {
        let range = SectorRange::new(Sector(0), 32768);
        Line { range, target: target.into(), arguments: arguments.into() }
    }

    #[test]
    fn members_are_found_in_every_form_of_the_line() {
        let of = |arguments| Members::of_line(&line("remap", arguments)).unwrap();
        let plain = of("253:0 1:1");
        assert_eq!(
            (&*plain.main, &plain.spares[..], plain.first_spare_start),
            ("253:0", &["1:1".to_owned()][..], 0)
        );
        let all = of("253:0 1:1 8 40000 7 spare 1:2 spare 1:3 read_only on_lost zero");
        assert_eq!((all.spares.len(), all.first_spare_start, all.is_read_only), (3, 8, true));
        assert!(!of("253:0 1:1 2 spare 1:2").is_read_only);
    }

    #[test]
    fn a_line_that_is_none_is_refused() {
        for arguments in ["", "253:0", "253:0 1:1 3 spare 1:2", "253:0 1:1 1 spare", "253:0 1:1 x"] {
            assert!(Members::of_line(&line("remap", arguments)).is_err(), "{arguments}");
        }
    }

    #[test]
    fn only_one_line_of_our_target_is_a_set() {
        assert!(is_set(&[line("remap", "")]) && is_set(&[line("dm-remap-v4", "")]));
        assert!(!is_set(&[line("linear", "")]) && !is_set(&[]));
        assert!(!is_set(&[line("remap", ""), line("remap", "")]));
    }
}
