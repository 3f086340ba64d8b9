//! Tables: lines of targets, as the kernel takes them and as it gives them back, as status or as table.

use std::str;

use remap_core::{Sector, SectorRange};

use crate::header::until_zero;

/// Bytes of `struct dm_target_spec`.
const SPEC_BYTES: usize = 40;
/// Bytes of a target's name, the zero at its end included.
const TYPE_BYTES: usize = 16;

/// One line: a range of the device, a target, and the target's arguments, table or status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which sectors of the mapped device.
    pub range: SectorRange,
    /// At most 15 bytes.
    pub target: String,
    /// What stands behind it.
    pub arguments: String,
}

/// The lines as they are loaded; `None` when a target's name is too long or a text has a zero.
pub(crate) fn encode(lines: &[Line]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for line in lines {
        if line.target.len() >= TYPE_BYTES || line.target.contains('\0') || line.arguments.contains('\0') {
            return None;
        }
        let start = bytes.len();
        let length = (SPEC_BYTES + line.arguments.len() + 1).next_multiple_of(8);
        bytes.extend(line.range.start.0.to_ne_bytes());
        bytes.extend(line.range.sectors.to_ne_bytes());
        bytes.extend(0_i32.to_ne_bytes());
        // From the beginning of this line to that of the next.
        bytes.extend(u32::try_from(length).ok()?.to_ne_bytes());
        bytes.extend(line.target.as_bytes());
        bytes.resize(start + SPEC_BYTES, 0);
        bytes.extend(line.arguments.as_bytes());
        bytes.resize(start + length, 0);
    }
    Some(bytes)
}

/// The lines of an answer; `None` when it is no table.
pub(crate) fn parse(data: &[u8], count: u32) -> Option<Vec<Line>> {
    let mut lines = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let spec = data.get(at..)?;
        let number = |at: usize| spec.get(at..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
        let (start, sectors) = (number(0)?, number(8)?);
        start.checked_add(sectors)?;
        let next = u32::from_ne_bytes(*spec.get(20..)?.first_chunk()?) as usize;
        let target = until_zero(spec.get(24..SPEC_BYTES)?)?;
        let arguments = until_zero(spec.get(SPEC_BYTES..)?)?;
        lines.push(Line {
            range: SectorRange::new(Sector(start), sectors),
            target: str::from_utf8(target).ok()?.to_owned(),
            arguments: str::from_utf8(arguments).ok()?.to_owned(),
        });
        // From the beginning of all lines, and always further on.
        if next <= at && lines.len() < count as usize {
            return None;
        }
        at = next;
    }
    Some(lines)
}

/// A word as targets read it: blanks and backslashes have a backslash before them.
pub fn escape(word: &str) -> String {
    let mut text = String::new();
    for character in word.chars() {
        if character.is_ascii_whitespace() || character == '\\' {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// The words of a line, without the backslashes that [`escape`] puts.
pub fn unescape_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            blank if blank.is_ascii_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests;
