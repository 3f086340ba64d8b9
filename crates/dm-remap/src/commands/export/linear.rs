//! The set as a table of device-mapper's own targets: linear where sectors live, error where nobody holds them.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use remap_serve::control::Status;

use crate::exit::refusal;
use crate::reach::Mapping;

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Main,
    /// Which spare, and the sector there that the line's first one is.
    Spare(usize, u64),
    Error,
}

/// The table of the whole set. Numbers are sectors, as `dmsetup` has them.
pub fn table(status: &Status, mappings: &[Mapping]) -> Result<String> {
    let main = status.main.as_deref().context("the main disk has no path")?;
    let mut text = String::new();
    for (start, sectors, source) in lines(status, mappings) {
        match source {
            Source::Main => writeln!(text, "{start} {sectors} linear {} {start}", escaped(main))?,
            Source::Error => writeln!(text, "{start} {sectors} error")?,
            Source::Spare(index, at) => {
                let path = status.spares.get(index).and_then(|spare| spare.path.as_deref());
                let path = path.ok_or_else(|| {
                    refusal(format!(
                        "spare {} is missing: a table needs every spare that holds sectors",
                        index + 1
                    ))
                })?;
                writeln!(text, "{start} {sectors} linear {} {at}", escaped(path))?;
            }
        }
    }
    Ok(text)
}

/// Start, length and source of each line, without gap or overlap.
fn lines(status: &Status, mappings: &[Mapping]) -> Vec<(u64, u64, Source)> {
    let mut lines: Vec<(u64, u64, Source)> = Vec::new();
    let mut push = |start: u64, sectors: u64, source: Source| {
        if sectors == 0 {
            return;
        }
        if let Some((_, length, last)) = lines.last_mut() {
            let continues = match (*last, source) {
                (Source::Spare(one, at), Source::Spare(other, next)) => one == other && at + *length == next,
                (last, source) => last == source,
            };
            if continues {
                *length += sectors;
                return;
            }
        }
        lines.push((start, sectors, source));
    };
    let mut next = 0;
    for mapping in mappings {
        push(next, mapping.block_start_sector - next, Source::Main);
        let sectors = (u64::from(status.block_bytes) / 512).min(status.sectors - mapping.block_start_sector);
        for bit in 0..sectors {
            let is_in = |mask: u16| mask & (1 << bit) != 0;
            let source = if is_in(mapping.moved) {
                Source::Spare(mapping.spare, mapping.spare_sector + bit)
            } else if is_in(mapping.lost) {
                Source::Error
            } else {
                Source::Main
            };
            push(mapping.block_start_sector + bit, 1, source);
        }
        next = mapping.block_start_sector + sectors;
    }
    push(next, status.sectors - next, Source::Main);
    lines
}

/// Blanks and backslashes as dmsetup reads them.
fn escaped(path: &str) -> String {
    path.replace('\\', "\\\\").replace(' ', "\\ ")
}
