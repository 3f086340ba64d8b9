//! The reader of a mapfile's text.
//!
//! Takes any bytes, in bounded memory, and answers with a mapfile or with the line that is wrong.

use super::{Activity, BlockStatus, MapBlock, Mapfile};

/// The longest line, in bytes. A comment may hold a command line.
pub const MAX_LINE_BYTES: usize = 1 << 16;

/// The most blocks.
pub const MAX_BLOCKS: usize = 1 << 22;

/// Positions and ends are below 2^63, as in ddrescue itself.
const MAX_POSITION: u64 = i64::MAX as u64;

/// Which line of a mapfile is wrong, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct MapfileError {
    /// The line, from 1; behind the last where something is missing.
    pub line: usize,
    /// What is wrong with it.
    pub problem: MapfileProblem,
}

/// What can be wrong with a line of a mapfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapfileProblem {
    /// It is longer than [`MAX_LINE_BYTES`].
    #[error("longer than {MAX_LINE_BYTES} bytes: this is no mapfile")]
    LineTooLong,
    /// There are more than [`MAX_BLOCKS`] blocks.
    #[error("more than {MAX_BLOCKS} blocks")]
    TooManyBlocks,
    /// The status line is not a position, a status and at most a pass.
    #[error("not a status line (current_pos current_status [current_pass])")]
    NotAStatusLine,
    /// A block's line is not a position, a size and a status.
    #[error("not a block (pos size status)")]
    NotABlock,
    /// A number is neither decimal nor 0x-hexadecimal nor 0-octal, or is too large.
    #[error("a number is malformed, or does not fit into 63 bits")]
    BadNumber,
    /// A status is none of the known characters.
    #[error("an unknown status character")]
    UnknownStatus,
    /// A block of no bytes.
    #[error("a block of size 0")]
    EmptyBlock,
    /// A block ends at 2^63 bytes or later.
    #[error("the block ends behind any disk")]
    BlockTooLong,
    /// A block starts before the end of the one before.
    #[error("the block overlaps the one before")]
    Overlap,
    /// A block starts behind the end of the one before.
    #[error("a gap between this block and the one before")]
    Gap,
    /// The text ends before a status line.
    #[error("no status line: this is no mapfile, or an empty one")]
    Empty,
}

pub(super) fn parse(text: &[u8]) -> Result<Mapfile, MapfileError> {
    let mut header = None;
    let mut blocks: Vec<MapBlock> = Vec::new();
    let mut lines = 0;
    for line in text.split(|&byte| byte == b'\n') {
        lines += 1;
        let at_line = |problem| MapfileError { line: lines, problem };
        if line.len() > MAX_LINE_BYTES {
            return Err(at_line(MapfileProblem::LineTooLong));
        }
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if header.is_none() {
            header = Some(status_line(line).map_err(at_line)?);
            continue;
        }
        if blocks.len() == MAX_BLOCKS {
            return Err(at_line(MapfileProblem::TooManyBlocks));
        }
        blocks.push(block(line, blocks.last()).map_err(at_line)?);
    }
    let missing = MapfileError { line: lines, problem: MapfileProblem::Empty };
    let (position_bytes, activity, pass) = header.ok_or(missing)?;
    Ok(Mapfile { position_bytes, activity, pass, blocks })
}

fn status_line(line: &[u8]) -> Result<(u64, Activity, Option<u32>), MapfileProblem> {
    let mut words = words(line);
    let (Some(position), Some(activity), pass, None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(MapfileProblem::NotAStatusLine);
    };
    let pass = match pass.map(number).transpose()? {
        Some(pass) => Some(u32::try_from(pass).map_err(|_| MapfileProblem::BadNumber)?),
        None => None,
    };
    Ok((number(position)?, status(&Activity::ALL, activity)?, pass))
}

fn block(line: &[u8], before: Option<&MapBlock>) -> Result<MapBlock, MapfileProblem> {
    let mut words = words(line);
    let (Some(start), Some(len), Some(known), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(MapfileProblem::NotABlock);
    };
    let (start_bytes, len_bytes) = (number(start)?, number(len)?);
    if len_bytes == 0 {
        return Err(MapfileProblem::EmptyBlock);
    }
    // Both are below 2^63: the sum does not overflow.
    if start_bytes + len_bytes > MAX_POSITION {
        return Err(MapfileProblem::BlockTooLong);
    }
    match before.map(|before| before.start_bytes + before.len_bytes) {
        Some(end) if start_bytes < end => return Err(MapfileProblem::Overlap),
        Some(end) if start_bytes > end => return Err(MapfileProblem::Gap),
        _ => {}
    }
    Ok(MapBlock { start_bytes, len_bytes, status: status(&BlockStatus::ALL, known)? })
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A number as C writes it: decimal, hexadecimal behind `0x`, octal behind `0`.
fn number(word: &[u8]) -> Result<u64, MapfileProblem> {
    let (digits, radix) = match word {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        digits => (digits, 10),
    };
    let all_digits = digits.iter().all(|&byte| char::from(byte).is_digit(radix));
    let text = std::str::from_utf8(digits).ok().filter(|_| all_digits);
    let number = text.and_then(|text| u64::from_str_radix(text, radix).ok());
    number.filter(|&number| number <= MAX_POSITION).ok_or(MapfileProblem::BadNumber)
}

fn status<T: Copy>(table: &[(u8, T)], word: &[u8]) -> Result<T, MapfileProblem> {
    let found = table.iter().find(|(character, _)| word == [*character]);
    found.map(|(_, status)| *status).ok_or(MapfileProblem::UnknownStatus)
}
