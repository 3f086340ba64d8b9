//! Superblocks: what a set is made of, in five copies on each of its spares.
//!
//! | offset | size | field |
//! | --- | --- | --- |
//! | 0 | 8 | magic, `dmREMAP1` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | CRC-32C of the superblock, this field as zero |
//! | 16 | 8 | generation: later superblocks of a set have larger ones |
//! | 24 | 16 | UUID of the set |
//! | 40 | 4 | index of this member in the table at 1024 |
//! | 44 | 4 | number of members, 1 to 16 |
//! | 48 | 4 | block size in sectors: 1, 2, 4, 8 or 16 |
//! | 52 | 4 | copies of each map page on each spare, 2 to 5 |
//! | 56 | 4 | flags: 1 closed cleanly, 2 lost sectors read as zeros |
//! | 60 | 4 | version of the program that made the set: major << 16, minor << 8, patch |
//! | 64 | 8 | creation, in seconds since 1970 |
//! | 72 | 8 | zero |
//! | 80 | 8 | main device: sectors |
//! | 88 | 4 | main device: logical block, bytes |
//! | 92 | 4 | main device: physical block, bytes |
//! | 96 | 64 | main device: serial number |
//! | 160 | 64 | main device: WWN |
//! | 224 | 40 | main device: partition UUID |
//! | 264 | 40 | main device: file system UUID |
//! | 304 | 256 | main device: path as last seen |
//! | 560 | 64 | name of the set |
//! | 1024 | 16 × 40 | member table |
//!
//! Texts are UTF-8 without control characters, padded with zeros. A member: UUID 16 bytes; size in sectors
//! u64; first map page u32; slots in use u32; room for map pages u32; zero u32. Everything not named is zero.

use super::bytes::{array_at, put, u32_at, u64_at};
use super::checksum;
use crate::layout::{MAX_COPIES, MIN_COPIES, PAGE_BYTES, RECORDS_PER_PAGE, SpareLayout};
use crate::units::{BlockSize, MAX_SECTORS};
use arrayvec::{ArrayString, ArrayVec};
use core::fmt;
use uuid::Uuid;

/// The most spares of one set.
pub const MAX_SPARES: usize = 16;

/// The first bytes of a superblock.
pub const MAGIC: [u8; 8] = *b"dmREMAP1";
const VERSION: u32 = 1;
const FLAG_CLEAN: u32 = 1;
const FLAG_LOST_READS_ZERO: u32 = 2;

const OFFSET_VERSION: usize = 8;
const OFFSET_CRC: usize = 12;
const OFFSET_GENERATION: usize = 16;
const OFFSET_SET: usize = 24;
const OFFSET_MEMBER: usize = 40;
const OFFSET_MEMBERS: usize = 44;
const OFFSET_BLOCK: usize = 48;
const OFFSET_COPIES: usize = 52;
const OFFSET_FLAGS: usize = 56;
const OFFSET_CREATOR: usize = 60;
const OFFSET_CREATED: usize = 64;
const OFFSET_MAIN_SECTORS: usize = 80;
const OFFSET_MAIN_LOGICAL: usize = 88;
const OFFSET_MAIN_PHYSICAL: usize = 92;
const OFFSET_MAIN_SERIAL: usize = 96;
const OFFSET_MAIN_WWN: usize = 160;
const OFFSET_MAIN_PARTITION: usize = 224;
const OFFSET_MAIN_FILESYSTEM: usize = 264;
const OFFSET_MAIN_PATH: usize = 304;
const OFFSET_NAME: usize = 560;
const OFFSET_TABLE: usize = 1024;
const MEMBER_BYTES: usize = 40;

const _: () = assert!(OFFSET_NAME + 64 <= OFFSET_TABLE);
const _: () = assert!(OFFSET_MAIN_PATH + 256 == OFFSET_NAME);
const _: () = assert!(OFFSET_TABLE + MAX_SPARES * MEMBER_BYTES <= PAGE_BYTES);

/// What the main device of a set is known by. Empty texts are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MainIdentity {
    /// Size in sectors.
    pub sectors: u64,
    /// Logical block in bytes.
    pub logical_bytes: u32,
    /// Physical block in bytes.
    pub physical_bytes: u32,
    /// Serial number.
    pub serial: ArrayString<64>,
    /// World-wide name.
    pub wwn: ArrayString<64>,
    /// UUID of the partition.
    pub partition_uuid: ArrayString<40>,
    /// UUID of the file system, or whatever else has one, that was on the set when it was made, opened or
    /// closed last, the latest of these; empty where that is not known.
    pub filesystem_uuid: ArrayString<40>,
    /// Where it was last seen.
    pub path: ArrayString<256>,
}

/// One spare of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The spare's own UUID.
    pub uuid: Uuid,
    /// The spare's size in sectors.
    pub sectors: u64,
    /// The map page that holds the records of its first slot.
    pub first_page: u32,
    /// How many of its slots are in use; at most what its layout has room for.
    pub slots: u32,
    /// Room for map pages in each of its page areas.
    pub page_capacity: u32,
}

impl Member {
    /// How many map pages its slots take.
    pub const fn pages(&self) -> u32 {
        self.slots.div_ceil(RECORDS_PER_PAGE)
    }

    /// The first map page behind its own.
    pub const fn end_page(&self) -> u64 {
        self.first_page as u64 + self.pages() as u64
    }
}

/// A superblock that has been checked, or is about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Of several valid copies the one with the largest counts.
    pub generation: u64,
    /// UUID of the set.
    pub set: Uuid,
    /// Name of the set.
    pub name: ArrayString<64>,
    /// Which of `members` this spare is.
    pub member: u32,
    /// The spares, in the order in which they are filled.
    pub members: ArrayVec<Member, MAX_SPARES>,
    /// The unit of remapping.
    pub block_size: BlockSize,
    /// Copies of each map page on each spare.
    pub copies: u32,
    /// Whether the set was closed properly.
    pub clean: bool,
    /// Whether lost sectors read as zeros instead of failing.
    pub lost_reads_zero: bool,
    /// Version of the program that made the set: major << 16, minor << 8, patch.
    pub creator: u32,
    /// When the set was made, in seconds since 1970.
    pub created_unix_s: u64,
    /// What the set was made for.
    pub main: MainIdentity,
}

/// Why bytes are not a superblock of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuperblockError {
    /// No superblock at all.
    Magic,
    /// A version this program does not know.
    Version(u32),
    /// The checksum does not fit: torn or rotten.
    Checksum,
    /// A field that makes no sense, by name.
    Field(&'static str),
}

impl fmt::Display for SuperblockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("no dm-remap superblock"),
            Self::Version(version) => {
                write!(f, "superblock of version {version}, made by a newer dm-remap than this one")
            }
            Self::Checksum => f.write_str("superblock with a wrong checksum"),
            Self::Field(name) => write!(f, "superblock whose {name} makes no sense"),
        }
    }
}

impl core::error::Error for SuperblockError {}

impl Superblock {
    /// Reads and checks one copy.
    pub fn parse(bytes: &[u8]) -> Result<Self, SuperblockError> {
        use SuperblockError as E;
        let bytes: &[u8; PAGE_BYTES] = bytes.first_chunk().ok_or(E::Magic)?;
        if !bytes.starts_with(&MAGIC) {
            return Err(E::Magic);
        }
        if u32_at(bytes, OFFSET_CRC) != checksum(bytes, OFFSET_CRC) {
            return Err(E::Checksum);
        }
        let version = u32_at(bytes, OFFSET_VERSION);
        if version != VERSION {
            return Err(E::Version(version));
        }
        let flags = u32_at(bytes, OFFSET_FLAGS);
        if flags & !(FLAG_CLEAN | FLAG_LOST_READS_ZERO) != 0 {
            return Err(E::Field("flags"));
        }
        let superblock = Self {
            generation: u64_at(bytes, OFFSET_GENERATION),
            set: uuid_at(bytes, OFFSET_SET),
            name: text_at(bytes, OFFSET_NAME).ok_or(E::Field("name"))?,
            member: u32_at(bytes, OFFSET_MEMBER),
            members: members_at(bytes)?,
            block_size: BlockSize::from_sectors(u32_at(bytes, OFFSET_BLOCK)).ok_or(E::Field("block size"))?,
            copies: u32_at(bytes, OFFSET_COPIES),
            clean: flags & FLAG_CLEAN != 0,
            lost_reads_zero: flags & FLAG_LOST_READS_ZERO != 0,
            creator: u32_at(bytes, OFFSET_CREATOR),
            created_unix_s: u64_at(bytes, OFFSET_CREATED),
            main: MainIdentity {
                sectors: u64_at(bytes, OFFSET_MAIN_SECTORS),
                logical_bytes: u32_at(bytes, OFFSET_MAIN_LOGICAL),
                physical_bytes: u32_at(bytes, OFFSET_MAIN_PHYSICAL),
                serial: text_at(bytes, OFFSET_MAIN_SERIAL).ok_or(E::Field("serial number"))?,
                wwn: text_at(bytes, OFFSET_MAIN_WWN).ok_or(E::Field("WWN"))?,
                partition_uuid: text_at(bytes, OFFSET_MAIN_PARTITION).ok_or(E::Field("partition UUID"))?,
                filesystem_uuid: text_at(bytes, OFFSET_MAIN_FILESYSTEM)
                    .ok_or(E::Field("file system UUID"))?,
                path: text_at(bytes, OFFSET_MAIN_PATH).ok_or(E::Field("path"))?,
            },
        };
        superblock.validate()?;
        // A field that only a later version knows would be lost when the superblock is written again.
        let table_end = OFFSET_TABLE + superblock.members.len() * MEMBER_BYTES;
        let member_ends = (OFFSET_TABLE..table_end).step_by(MEMBER_BYTES).map(|at| (at + 36, at + 40));
        let unnamed = [(72, OFFSET_MAIN_SECTORS), (OFFSET_NAME + 64, OFFSET_TABLE), (table_end, PAGE_BYTES)];
        if unnamed.into_iter().chain(member_ends).any(|(from, to)| !is_zero(bytes, from, to)) {
            return Err(E::Field("padding"));
        }
        Ok(superblock)
    }

    /// The invariants that every user of a superblock relies on.
    pub(crate) fn validate(&self) -> Result<(), SuperblockError> {
        use SuperblockError as E;
        for (name, text) in [
            ("name", self.name.as_str()),
            ("serial number", self.main.serial.as_str()),
            ("WWN", self.main.wwn.as_str()),
            ("partition UUID", self.main.partition_uuid.as_str()),
            ("file system UUID", self.main.filesystem_uuid.as_str()),
            ("path", self.main.path.as_str()),
        ] {
            if text.chars().any(char::is_control) {
                return Err(E::Field(name));
            }
        }
        if self.main.sectors == 0 || self.main.sectors > MAX_SECTORS {
            return Err(E::Field("main device size"));
        }
        if self.main.logical_bytes as usize > self.block_size.bytes() || self.main.logical_bytes < 512 {
            return Err(E::Field("main device block"));
        }
        if !(MIN_COPIES..=MAX_COPIES).contains(&self.copies) {
            return Err(E::Field("number of copies"));
        }
        if self.member as usize >= self.members.len() {
            return Err(E::Field("member index"));
        }
        let pages = self.pages();
        for (at, member) in self.members.iter().enumerate() {
            let layout = self.layout_of(member).ok_or(E::Field("member size"))?;
            if member.slots == 0 || member.slots > layout.slots() || pages > member.page_capacity {
                return Err(E::Field("slot count"));
            }
            if u64::from(pages) * u64::from(RECORDS_PER_PAGE) > crate::map::MAX_SLOTS {
                return Err(E::Field("slot count"));
            }
            for other in self.members.iter().skip(at + 1) {
                let apart = member.end_page() <= u64::from(other.first_page)
                    || other.end_page() <= u64::from(member.first_page);
                if member.uuid == other.uuid || !apart {
                    return Err(E::Field("member table"));
                }
            }
        }
        Ok(())
    }

    /// Writes the superblock as member `self.member` has it, with its checksum.
    pub fn encode(&self, bytes: &mut [u8; PAGE_BYTES]) {
        bytes.fill(0);
        let mut flags = 0;
        if self.clean {
            flags |= FLAG_CLEAN;
        }
        if self.lost_reads_zero {
            flags |= FLAG_LOST_READS_ZERO;
        }
        put(bytes, 0, &MAGIC);
        for (at, value) in [
            (OFFSET_VERSION, VERSION),
            (OFFSET_MEMBER, self.member),
            (OFFSET_MEMBERS, self.members.len() as u32),
            (OFFSET_BLOCK, self.block_size.sectors()),
            (OFFSET_COPIES, self.copies),
            (OFFSET_FLAGS, flags),
            (OFFSET_CREATOR, self.creator),
            (OFFSET_MAIN_LOGICAL, self.main.logical_bytes),
            (OFFSET_MAIN_PHYSICAL, self.main.physical_bytes),
        ] {
            put(bytes, at, &value.to_le_bytes());
        }
        for (at, value) in [
            (OFFSET_GENERATION, self.generation),
            (OFFSET_CREATED, self.created_unix_s),
            (OFFSET_MAIN_SECTORS, self.main.sectors),
        ] {
            put(bytes, at, &value.to_le_bytes());
        }
        put(bytes, OFFSET_SET, self.set.as_bytes());
        for (at, text) in [
            (OFFSET_MAIN_SERIAL, self.main.serial.as_str()),
            (OFFSET_MAIN_WWN, self.main.wwn.as_str()),
            (OFFSET_MAIN_PARTITION, self.main.partition_uuid.as_str()),
            (OFFSET_MAIN_FILESYSTEM, self.main.filesystem_uuid.as_str()),
            (OFFSET_MAIN_PATH, self.main.path.as_str()),
            (OFFSET_NAME, self.name.as_str()),
        ] {
            put(bytes, at, text.as_bytes());
        }
        for (index, member) in self.members.iter().enumerate() {
            let at = OFFSET_TABLE + index * MEMBER_BYTES;
            put(bytes, at, member.uuid.as_bytes());
            put(bytes, at + 16, &member.sectors.to_le_bytes());
            put(bytes, at + 24, &member.first_page.to_le_bytes());
            put(bytes, at + 28, &member.slots.to_le_bytes());
            put(bytes, at + 32, &member.page_capacity.to_le_bytes());
        }
        let crc = checksum(bytes, OFFSET_CRC);
        put(bytes, OFFSET_CRC, &crc.to_le_bytes());
    }

    /// The layout of one of the members.
    pub fn layout_of(&self, member: &Member) -> Option<SpareLayout> {
        SpareLayout::new(member.sectors, self.block_size, self.copies, member.page_capacity)
    }

    /// How many map pages the set has, removed members' included.
    pub fn pages(&self) -> u32 {
        let end = self.members.iter().map(Member::end_page).max().unwrap_or(0);
        u32::try_from(end).unwrap_or(u32::MAX)
    }

    /// Which member's slots map page `page` records; none for a page that a removed member has left.
    pub fn owner_of(&self, page: u32) -> Option<usize> {
        let page = u64::from(page);
        self.members
            .iter()
            .position(|member| (u64::from(member.first_page)..member.end_page()).contains(&page))
    }

    /// How many records the map pages hold: the size of the tables in memory.
    pub fn records(&self) -> u64 {
        u64::from(self.pages()) * u64::from(RECORDS_PER_PAGE)
    }
}

fn uuid_at(bytes: &[u8], at: usize) -> Uuid {
    Uuid::from_bytes(array_at(bytes, at).unwrap_or_default())
}

fn is_zero(bytes: &[u8], from: usize, to: usize) -> bool {
    bytes.get(from..to).is_some_and(|field| field.iter().all(|&byte| byte == 0))
}

/// A text padded with zeros; `None` unless it is UTF-8.
fn text_at<const N: usize>(bytes: &[u8], at: usize) -> Option<ArrayString<N>> {
    let field: [u8; N] = array_at(bytes, at)?;
    let length = field.iter().position(|&byte| byte == 0).unwrap_or(N);
    if !is_zero(&field, length, N) {
        return None;
    }
    ArrayString::from(core::str::from_utf8(field.get(..length)?).ok()?).ok()
}

fn members_at(bytes: &[u8]) -> Result<ArrayVec<Member, MAX_SPARES>, SuperblockError> {
    let count = u32_at(bytes, OFFSET_MEMBERS) as usize;
    if count == 0 || count > MAX_SPARES {
        return Err(SuperblockError::Field("number of members"));
    }
    Ok((0..count)
        .map(|index| {
            let at = OFFSET_TABLE + index * MEMBER_BYTES;
            Member {
                uuid: uuid_at(bytes, at),
                sectors: u64_at(bytes, at + 16),
                first_page: u32_at(bytes, at + 24),
                slots: u32_at(bytes, at + 28),
                page_capacity: u32_at(bytes, at + 32),
            }
        })
        .collect())
}

#[cfg(all(test, not(loom)))]
mod tests;
