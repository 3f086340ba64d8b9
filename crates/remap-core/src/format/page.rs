//! Map pages: 252 records behind a header of 64 bytes.
//!
//! | offset | size | field |
//! | --- | --- | --- |
//! | 0 | 4 | magic, `RMPG` |
//! | 4 | 4 | version, 1 |
//! | 8 | 4 | CRC-32C of the page, this field as zero |
//! | 12 | 4 | index of the page in the set |
//! | 16 | 8 | generation: later pages have larger ones |
//! | 24 | 16 | UUID of the set |
//! | 40 | 24 | zero |
//! | 64 | 252 × 16 | records |
//!
//! A record: block u64 (all ones when not used), moved mask u16, lost mask u16, state u8 (0 free, 1 used,
//! 2 retired), version u8, stale mask u16. All copies of a page are the same bytes.

use super::bytes::{array_at, put, u32_at, u64_at};
use super::checksum;
use crate::layout::{PAGE_BYTES, RECORDS_PER_PAGE};
use crate::record::Record;
use crate::units::BlockSize;
use core::fmt;
use uuid::Uuid;

const MAGIC: [u8; 4] = *b"RMPG";
const VERSION: u32 = 1;
const OFFSET_MAGIC: usize = 0;
const OFFSET_VERSION: usize = 4;
const OFFSET_CRC: usize = 8;
const OFFSET_INDEX: usize = 12;
const OFFSET_GENERATION: usize = 16;
const OFFSET_SET: usize = 24;
const OFFSET_RECORDS: usize = 64;
const RECORD_BYTES: usize = 16;

const _: () = assert!(OFFSET_SET + 16 <= OFFSET_RECORDS);
const _: () = assert!(OFFSET_RECORDS + RECORDS_PER_PAGE as usize * RECORD_BYTES == PAGE_BYTES);

/// What a page says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// The set that the page belongs to.
    pub set: Uuid,
    /// Which page of the set: it holds the records of slots 252 × index and on.
    pub index: u32,
    /// Of several valid copies the one with the largest counts.
    pub generation: u64,
}

/// Why bytes are not the page that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageError {
    /// No map page at all.
    Magic,
    /// A version this program does not know.
    Version(u32),
    /// The checksum does not fit: torn or rotten.
    Checksum,
    /// A page of another set.
    ForeignSet,
    /// Another page of this set.
    WrongIndex(u32),
    /// A record that makes no sense; the number is its place in the page.
    Record(u32),
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("not a map page"),
            Self::Version(version) => write!(f, "map page of unknown version {version}"),
            Self::Checksum => f.write_str("checksum mismatch"),
            Self::ForeignSet => f.write_str("map page of another set"),
            Self::WrongIndex(index) => write!(f, "map page {index} in the place of another"),
            Self::Record(at) => write!(f, "record {at} makes no sense"),
        }
    }
}

impl core::error::Error for PageError {}

/// Begins a page: header fields and free records. The checksum is set by [`seal`].
pub fn begin(page: &mut [u8; PAGE_BYTES], header: PageHeader) {
    page.fill(0);
    put(page, OFFSET_MAGIC, &MAGIC);
    put(page, OFFSET_VERSION, &VERSION.to_le_bytes());
    put(page, OFFSET_INDEX, &header.index.to_le_bytes());
    put(page, OFFSET_GENERATION, &header.generation.to_le_bytes());
    put(page, OFFSET_SET, header.set.as_bytes());
    for at in 0..RECORDS_PER_PAGE {
        put_record(page, at, Record::Free);
    }
}

/// Sets record `at` (0 to 251).
pub fn put_record(page: &mut [u8; PAGE_BYTES], at: u32, record: Record) {
    let (key, value) = record.to_words();
    let offset = OFFSET_RECORDS + at as usize * RECORD_BYTES;
    put(page, offset, &key.to_le_bytes());
    put(page, offset + 8, &value.to_le_bytes());
}

/// Sets the checksum; the page is then ready to be written.
pub fn seal(page: &mut [u8; PAGE_BYTES]) {
    let crc = checksum(page, OFFSET_CRC);
    put(page, OFFSET_CRC, &crc.to_le_bytes());
}

/// A page whose checksum, set, index and every record have been checked.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    bytes: &'a [u8; PAGE_BYTES],
    /// What it says about itself.
    pub header: PageHeader,
}

impl<'a> Page<'a> {
    /// Checks that `bytes` are page `index` of `set`, and every record possible for a main device of
    /// `main_sectors` sectors.
    pub fn parse(
        bytes: &'a [u8],
        set: Uuid,
        index: u32,
        block_size: BlockSize,
        main_sectors: u64,
    ) -> Result<Self, PageError> {
        let page = Self::parse_any(bytes)?;
        if page.header.set != set {
            return Err(PageError::ForeignSet);
        }
        if page.header.index != index {
            return Err(PageError::WrongIndex(page.header.index));
        }
        let blocks = main_sectors.div_ceil(u64::from(block_size.sectors()));
        for at in 0..RECORDS_PER_PAGE {
            match page.raw_record(at) {
                Some(Record::Used { block, masks, .. })
                    if block.0 < blocks && masks.away() & !block_size.full_mask() == 0 => {}
                Some(Record::Free | Record::Retired) => {}
                _ => return Err(PageError::Record(at)),
            }
        }
        Ok(page)
    }

    /// Checks magic, version and checksum only.
    pub fn parse_any(bytes: &'a [u8]) -> Result<Self, PageError> {
        let bytes: &[u8; PAGE_BYTES] = bytes.first_chunk().ok_or(PageError::Magic)?;
        if array_at(bytes, OFFSET_MAGIC) != Some(MAGIC) {
            return Err(PageError::Magic);
        }
        let version = u32_at(bytes, OFFSET_VERSION);
        if version != VERSION {
            return Err(PageError::Version(version));
        }
        if u32_at(bytes, OFFSET_CRC) != checksum(bytes, OFFSET_CRC) {
            return Err(PageError::Checksum);
        }
        let header = PageHeader {
            set: Uuid::from_bytes(array_at(bytes, OFFSET_SET).unwrap_or_default()),
            index: u32_at(bytes, OFFSET_INDEX),
            generation: u64_at(bytes, OFFSET_GENERATION),
        };
        Ok(Self { bytes, header })
    }

    fn raw_record(&self, at: u32) -> Option<Record> {
        let offset = OFFSET_RECORDS + at as usize * RECORD_BYTES;
        Record::from_words(u64_at(self.bytes, offset), u64_at(self.bytes, offset + 8))
    }

    /// Record `at` (0 to 251); [`Record::Free`] behind the end.
    pub fn record(&self, at: u32) -> Record {
        if at >= RECORDS_PER_PAGE {
            return Record::Free;
        }
        self.raw_record(at).unwrap_or(Record::Free)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
