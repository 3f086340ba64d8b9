//! Units and identities as types, and the only place where one becomes another.

use core::fmt;

/// Bytes in a sector. The unit of the Linux block layer, whatever the disk's own block size.
pub const SECTOR_BYTES: usize = 512;

/// log2 of [`SECTOR_BYTES`].
pub const SECTOR_SHIFT: u32 = 9;

/// The largest main device: 2^63 bytes.
pub const MAX_SECTORS: u64 = 1 << (63 - SECTOR_SHIFT);

/// A place on a device, in sectors of 512 bytes from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sector(pub u64);

impl Sector {
    /// The byte offset of this sector. Exact for every sector below [`MAX_SECTORS`].
    pub const fn bytes(self) -> u64 {
        self.0 << SECTOR_SHIFT
    }
}

impl fmt::Display for Sector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A block of the main device: the unit of remapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockIndex(pub u64);

/// A block-sized place on one of the spares, numbered through the whole set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotIndex(pub u32);

/// A run of sectors: where it starts and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SectorRange {
    /// The first sector.
    pub start: Sector,
    /// How many sectors.
    pub sectors: u64,
}

impl SectorRange {
    /// `sectors` sectors from `start`.
    pub const fn new(start: Sector, sectors: u64) -> Self {
        Self { start, sectors }
    }

    /// The first sector behind the range; saturates at the end of the number space.
    pub const fn end(self) -> Sector {
        Sector(self.start.0.saturating_add(self.sectors))
    }

    /// Whether the two share a sector.
    pub const fn overlaps(self, other: Self) -> bool {
        self.start.0 < other.end().0 && other.start.0 < self.end().0
    }

    /// Whether `self` lies within a device of `sectors` sectors, without overflow.
    pub const fn fits(self, sectors: u64) -> bool {
        match self.start.0.checked_add(self.sectors) {
            Some(end) => end <= sectors,
            None => false,
        }
    }

    /// What both share, if anything.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let start = self.start.max(other.start);
        let end = self.end().min(other.end());
        (start < end).then(|| Self::new(start, end.0 - start.0))
    }
}

impl fmt::Display for SectorRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.start.0, self.sectors)
    }
}

/// The unit of remapping: 1, 2, 4, 8 or 16 sectors (512 bytes to 8 KiB).
///
/// A mapping's masks have one bit a sector and share one word with its state, hence the upper bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSize(u8);

impl BlockSize {
    /// 4096 bytes.
    pub const DEFAULT: Self = Self(3);
    /// The largest, in sectors.
    pub const MAX_SECTORS: u32 = 16;
    /// The largest, in bytes.
    pub const MAX_BYTES: usize = Self::MAX_SECTORS as usize * SECTOR_BYTES;

    /// A block of `sectors` sectors; `None` unless that is 1, 2, 4, 8 or 16.
    pub const fn from_sectors(sectors: u32) -> Option<Self> {
        match sectors {
            1 => Some(Self(0)),
            2 => Some(Self(1)),
            4 => Some(Self(2)),
            8 => Some(Self(3)),
            16 => Some(Self(4)),
            _ => None,
        }
    }

    /// Sectors in a block.
    pub const fn sectors(self) -> u32 {
        1 << self.0
    }

    /// Bytes in a block.
    pub const fn bytes(self) -> usize {
        SECTOR_BYTES << self.0
    }

    /// The block that holds `sector`.
    pub const fn block_of(self, sector: Sector) -> BlockIndex {
        BlockIndex(sector.0 >> self.0)
    }

    /// The sector's place within its block: 0 to 15.
    pub const fn offset_of(self, sector: Sector) -> u32 {
        (sector.0 & ((1 << self.0) - 1)) as u32
    }

    /// The first sector of `block`.
    pub const fn first_sector(self, block: BlockIndex) -> Sector {
        Sector(block.0 << self.0)
    }

    /// The mask with a bit for every sector of a block.
    pub const fn full_mask(self) -> u16 {
        ((1u32 << self.sectors()) - 1) as u16
    }
}

/// The mask with bits `from` to `from + count - 1` set. Bits past 15 are cut off.
pub const fn mask_of(from: u32, count: u32) -> u16 {
    if from >= 16 || count == 0 {
        return 0;
    }
    let ones = if count >= 16 { 0xffff } else { (1u32 << count) - 1 };
    (ones << from) as u16
}

#[cfg(all(test, not(loom)))]
mod tests;
