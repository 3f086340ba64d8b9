//! Lists of bad blocks as `badblocks -b SIZE` writes them and `e2fsck -l` reads them.
//!
//! One decimal block number a line, in blocks of a size that the list itself does not tell (see
//! `badblocks(8)`; its default is 1024 bytes).

use std::io;

use remap_core::units::{MAX_SECTORS, SECTOR_BYTES};
use remap_core::{Sector, SectorRange};

use super::merged;

/// The block size of `badblocks` and `e2fsck` unless they are told otherwise, in bytes.
pub const DEFAULT_BLOCK_BYTES: u32 = 1024;

/// The most blocks in a list that is read.
pub const MAX_BLOCKS: usize = 1 << 24;

/// Why a list could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadblocksError {
    /// Blocks are whole sectors.
    #[error("a block size of {0} bytes cannot be used: give a multiple of 512 between 512 and 1048576")]
    BlockSize(u32),
    /// A line is no number.
    #[error("line {line} is no decimal block number")]
    NotANumber {
        /// The line, from 1.
        line: usize,
    },
    /// A block lies behind 2^63 bytes.
    #[error("line {line} names a block behind the end of any disk (is the block size right?)")]
    OutOfRange {
        /// The line, from 1.
        line: usize,
    },
    /// There are more than [`MAX_BLOCKS`].
    #[error("the list has more than {MAX_BLOCKS} blocks")]
    TooMany,
}

/// Reads a list of blocks of `block_bytes` bytes, in any order: the bad sectors, ascending and merged.
/// Empty lines are skipped.
pub fn parse(text: &[u8], block_bytes: u32) -> Result<Vec<SectorRange>, BadblocksError> {
    let block_sectors = block_sectors(block_bytes)?;
    let mut ranges: Vec<SectorRange> = Vec::new();
    let mut blocks = 0;
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let digits = line.trim_ascii();
        if digits.is_empty() {
            continue;
        }
        let line = index + 1;
        let not_a_number = BadblocksError::NotANumber { line };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(not_a_number);
        }
        let out_of_range = BadblocksError::OutOfRange { line };
        let block: u64 =
            std::str::from_utf8(digits).map_err(|_| not_a_number)?.parse().map_err(|_| out_of_range)?;
        let start = block.checked_mul(block_sectors).ok_or(out_of_range)?;
        let range = SectorRange::new(Sector(start), block_sectors);
        if !range.fits(MAX_SECTORS) {
            return Err(out_of_range);
        }
        blocks += 1;
        if blocks > MAX_BLOCKS {
            return Err(BadblocksError::TooMany);
        }
        match ranges.last_mut() {
            // Lists are ascending as a rule: most blocks end here.
            Some(last) if last.end() == range.start => last.sectors += block_sectors,
            _ => ranges.push(range),
        }
    }
    Ok(merged(ranges))
}

/// Writes the blocks of `block_bytes` bytes that hold a sector of `ranges`, ascending, each once. A block
/// size that cannot be used is [`io::ErrorKind::InvalidInput`].
pub fn write(ranges: &[SectorRange], block_bytes: u32, out: &mut impl io::Write) -> io::Result<()> {
    let block_sectors =
        block_sectors(block_bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let mut next = 0;
    for range in merged(ranges.to_vec()) {
        let first = (range.start.0 / block_sectors).max(next);
        next = range.end().0.div_ceil(block_sectors);
        for block in first..next {
            writeln!(out, "{block}")?;
        }
    }
    Ok(())
}

fn block_sectors(block_bytes: u32) -> Result<u64, BadblocksError> {
    let usable = (512..=1 << 20).contains(&block_bytes) && block_bytes.is_multiple_of(SECTOR_BYTES as u32);
    if usable {
        Ok(u64::from(block_bytes) / SECTOR_BYTES as u64)
    } else {
        Err(BadblocksError::BlockSize(block_bytes))
    }
}

#[cfg(test)]
mod tests;
