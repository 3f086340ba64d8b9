//! Where things lie on one spare: superblock copies, page areas, slots. Format version 1.
//!
//! ```text
//! | head: superblock copies, to sector 8208 | pages, copy 0 | slots | pages, copy 1 | slots | … | pages, copy C-1 |
//! ```
//!
//! The copies of the page area lie as far apart as the spare is long, with the slots in equal chunks between
//! them. Every spare's page area has room for the pages of the whole set and more, see
//! [`superblock`](crate::format::superblock).

use crate::map::MAX_SLOTS;
use crate::units::{BlockSize, MAX_SECTORS, Sector};

/// Where the five superblock copies start. The last ends at sector 8200.
pub const SUPERBLOCK_SECTORS: [u64; 5] = [0, 1024, 2048, 4096, 8192];

/// Bytes of every metadata structure.
pub const PAGE_BYTES: usize = 4096;

/// Sectors of every metadata structure.
pub const PAGE_SECTORS: u64 = 8;

/// Records in a map page: (4096 − 64) / 16.
pub const RECORDS_PER_PAGE: u32 = 252;

/// The first sector behind the superblock copies, aligned for the largest block.
pub const HEAD_SECTORS: u64 = 8208;

/// The fewest copies of a map page on one spare.
pub const MIN_COPIES: u32 = 2;
/// Unless told otherwise.
pub const DEFAULT_COPIES: u32 = 3;
/// The most copies of a map page on one spare.
pub const MAX_COPIES: u32 = 5;

/// The layout of one spare. Everything follows from the first four figures; the others are kept because a
/// moved request needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpareLayout {
    sectors: u64,
    block_size: BlockSize,
    copies: u32,
    page_capacity: u32,
    slots_per_chunk: u32,
    area_sectors: u64,
    chunk_sectors: u64,
}

/// Areas and chunks begin at multiples of the largest block.
const ALIGNMENT: u64 = BlockSize::MAX_SECTORS as u64;

impl SpareLayout {
    /// The layout of a spare of `sectors` sectors whose `copies` page areas have room for `page_capacity`
    /// map pages each. `None` when a figure is out of its range or no slot fits.
    pub fn new(sectors: u64, block_size: BlockSize, copies: u32, page_capacity: u32) -> Option<Self> {
        if !(MIN_COPIES..=MAX_COPIES).contains(&copies) || page_capacity == 0 || sectors > MAX_SECTORS {
            return None;
        }
        let area_sectors = (u64::from(page_capacity) * PAGE_SECTORS).next_multiple_of(ALIGNMENT);
        let chunks = u64::from(copies) - 1;
        let room = sectors.checked_sub(HEAD_SECTORS)?.checked_sub(area_sectors * u64::from(copies))?;
        let chunk_sectors = room / chunks / ALIGNMENT * ALIGNMENT;
        let slots_per_chunk = chunk_sectors / u64::from(block_size.sectors());
        if slots_per_chunk == 0 || slots_per_chunk * chunks > MAX_SLOTS {
            return None;
        }
        Some(Self {
            sectors,
            block_size,
            copies,
            page_capacity,
            slots_per_chunk: slots_per_chunk as u32,
            area_sectors,
            chunk_sectors,
        })
    }

    /// The spare's size in sectors, as the layout uses it.
    pub const fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Copies of the page area: 2 to 5.
    pub const fn copies(&self) -> u32 {
        self.copies
    }

    /// Map pages that each copy of the page area has room for.
    pub const fn page_capacity(&self) -> u32 {
        self.page_capacity
    }

    /// How many slots the spare has room for.
    pub const fn slots(&self) -> u32 {
        self.slots_per_chunk * (self.copies - 1)
    }

    /// Where map page `page` of the set lies in copy `copy`. Meaningful for `copy` below
    /// [`copies`](Self::copies) and `page` below [`page_capacity`](Self::page_capacity).
    pub const fn page_address(&self, copy: u32, page: u32) -> Sector {
        let stride = self.area_sectors + self.chunk_sectors;
        Sector(HEAD_SECTORS + copy as u64 * stride + page as u64 * PAGE_SECTORS)
    }

    /// Where the spare's own slot `local` lies, counted from its first. Meaningful below
    /// [`slots`](Self::slots).
    #[inline]
    pub const fn slot_address(&self, local: u32) -> Sector {
        let chunk = (local / self.slots_per_chunk) as u64;
        let within = (local % self.slots_per_chunk) as u64;
        let stride = self.area_sectors + self.chunk_sectors;
        Sector(HEAD_SECTORS + chunk * stride + self.area_sectors + within * self.block_size.sectors() as u64)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
