//! A run of bytes of an export, and how it lies on sectors.
//! It owns the only conversion between the wire's bytes and the engine's sectors in this front end.

use remap_core::units::SECTOR_BYTES;
use remap_core::{Sector, SectorRange};

const SECTOR: u64 = SECTOR_BYTES as u64;

/// Bytes of an export: where they start and how many, as the wire counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// The first byte.
    pub offset: u64,
    /// How many bytes; the wire has 32 bits for it.
    pub bytes: u32,
}

impl ByteRange {
    /// `bytes` bytes from `offset`.
    pub const fn new(offset: u64, bytes: u32) -> Self {
        Self { offset, bytes }
    }

    /// The first byte behind the range; `None` where that is no 64-bit number.
    pub const fn end(self) -> Option<u64> {
        self.offset.checked_add(self.bytes as u64)
    }

    /// Whether it lies within an export of `bytes` bytes, without overflow.
    pub const fn fits(self, bytes: u64) -> bool {
        match self.end() {
            Some(end) => end <= bytes,
            None => false,
        }
    }

    /// Whether both ends are multiples of `block`, a power of two.
    pub const fn is_aligned(self, block: u32) -> bool {
        (self.offset | self.bytes as u64) & (block as u64 - 1) == 0
    }

    /// The same run in sectors; `None` unless it starts and ends on sector bounds.
    pub const fn sectors(self) -> Option<SectorRange> {
        if self.is_aligned(SECTOR_BYTES as u32) { Some(self.sectors_touched()) } else { None }
    }

    /// Every sector that holds a byte of the range; none for an empty range.
    pub const fn sectors_touched(self) -> SectorRange {
        let first = self.offset / SECTOR;
        // Counted from the first sector's start, so that no end of the number space is crossed.
        let sectors = match self.bytes {
            0 => 0,
            bytes => (self.offset % SECTOR + bytes as u64).div_ceil(SECTOR),
        };
        SectorRange::new(Sector(first), sectors)
    }
}

#[cfg(test)]
mod tests;
