//! Planning sets: the superblock of a new one, a member more, a member less. Decides, writes nothing.

use crate::format::superblock::{MAX_SPARES, MainIdentity, Member, Superblock, SuperblockError};
use crate::layout::{HEAD_SECTORS, MAX_COPIES, MIN_COPIES, RECORDS_PER_PAGE, SpareLayout};
use crate::map::MAX_SLOTS;
use crate::units::{BlockSize, MAX_SECTORS};
use arrayvec::{ArrayString, ArrayVec};
use core::fmt;
use uuid::Uuid;

/// Page areas are made this many times as large as the set's pages need, so that spares can be added.
const GROWTH: u64 = 2;

/// What a new set is to be.
#[derive(Clone, Debug)]
pub struct NewSet<'a> {
    /// UUID of the set.
    pub set: Uuid,
    /// Name of the set.
    pub name: ArrayString<64>,
    /// The main device.
    pub main: MainIdentity,
    /// UUID and size in sectors of each spare, in the order in which they are to be filled.
    pub spares: &'a [(Uuid, u64)],
    /// The unit of remapping.
    pub block_size: BlockSize,
    /// Copies of each map page on each spare.
    pub copies: u32,
    /// Whether lost sectors read as zeros instead of failing.
    pub lost_reads_zero: bool,
    /// Version of the program: major << 16, minor << 8, patch.
    pub creator: u32,
    /// Now, in seconds since 1970.
    pub created_unix_s: u64,
}

/// Why a set cannot be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// The main device is empty or larger than 2^63 bytes.
    MainSize,
    /// The main device's logical block is larger than the unit of remapping.
    BlockTooSmall,
    /// Fewer than 2 or more than 5 copies.
    Copies,
    /// No spare, or more than 16.
    SpareCount,
    /// Spare `index` is too small for its metadata and a few slots.
    SpareTooSmall {
        /// Which spare.
        index: usize,
        /// The least size in sectors that would do.
        needed_sectors: u64,
    },
    /// More slots than the 2^32 − 2 of a set.
    TooManySlots,
    /// Two members with one UUID.
    SameMember,
    /// The page areas of the present spares have no room for the records of a further spare.
    NoRoomForPages,
    /// No such member.
    NoMember,
    /// Something, by name, that a superblock cannot hold: a text with control characters, say.
    Field(&'static str),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MainSize => f.write_str("the main device is empty or larger than 2^63 bytes"),
            Self::BlockTooSmall => {
                f.write_str("the remap block is smaller than a logical block of the main device")
            }
            Self::Copies => write!(f, "metadata copies must be {MIN_COPIES} to {MAX_COPIES}"),
            Self::SpareCount => write!(f, "a set has 1 to {MAX_SPARES} spares"),
            Self::SpareTooSmall { index, needed_sectors } => write!(
                f,
                "spare {index} is too small: metadata and slots need at least {} KiB",
                needed_sectors.div_ceil(2)
            ),
            Self::TooManySlots => f.write_str("the spares together have more than 2^32 - 2 slots"),
            Self::SameMember => f.write_str("the same spare twice"),
            Self::NoRoomForPages => f.write_str(
                "the metadata areas of the present spares have no room for another; move to a new set with larger ones",
            ),
            Self::NoMember => f.write_str("the set has no such spare"),
            Self::Field(name) => write!(f, "the {name} cannot be recorded"),
        }
    }
}

impl core::error::Error for PlanError {}

/// An upper bound of the map pages that a spare's slots can take.
fn pages_bound(sectors: u64, block_size: BlockSize) -> u64 {
    let slots = sectors.saturating_sub(HEAD_SECTORS) / u64::from(block_size.sectors());
    slots.div_ceil(u64::from(RECORDS_PER_PAGE)).max(1)
}

fn layout(
    index: usize,
    sectors: u64,
    block_size: BlockSize,
    copies: u32,
    pages: u64,
) -> Result<SpareLayout, PlanError> {
    let capacity = u32::try_from(pages * GROWTH).map_err(|_| PlanError::TooManySlots)?;
    SpareLayout::new(sectors, block_size, copies, capacity).ok_or_else(|| {
        let areas = u64::from(copies) * u64::from(capacity) * 8;
        PlanError::SpareTooSmall { index, needed_sectors: HEAD_SECTORS + areas + 16 * u64::from(copies) * 2 }
    })
}

impl Superblock {
    /// The superblock of a new set, as its member 0 has it.
    pub fn plan(new: &NewSet<'_>) -> Result<Self, PlanError> {
        if new.main.sectors == 0 || new.main.sectors > MAX_SECTORS {
            return Err(PlanError::MainSize);
        }
        if new.main.logical_bytes as usize > new.block_size.bytes() {
            return Err(PlanError::BlockTooSmall);
        }
        if !(MIN_COPIES..=MAX_COPIES).contains(&new.copies) {
            return Err(PlanError::Copies);
        }
        if new.spares.is_empty() || new.spares.len() > MAX_SPARES {
            return Err(PlanError::SpareCount);
        }
        let pages: u64 = new
            .spares
            .iter()
            .map(|&(_, sectors)| pages_bound(sectors.min(MAX_SECTORS), new.block_size))
            .sum();
        if pages * u64::from(RECORDS_PER_PAGE) > MAX_SLOTS {
            return Err(PlanError::TooManySlots);
        }
        let mut members: ArrayVec<Member, MAX_SPARES> = ArrayVec::new();
        for (index, &(uuid, sectors)) in new.spares.iter().enumerate() {
            let layout = layout(index, sectors, new.block_size, new.copies, pages)?;
            if members.iter().any(|member| member.uuid == uuid) {
                return Err(PlanError::SameMember);
            }
            let first_page = members.last().map_or(0, |last| last.end_page() as u32);
            let page_capacity = layout.page_capacity();
            let member = Member { uuid, sectors, first_page, slots: layout.slots(), page_capacity };
            members.try_push(member).map_err(|_| PlanError::SpareCount)?;
        }
        Self {
            generation: 1,
            set: new.set,
            name: new.name,
            member: 0,
            members,
            block_size: new.block_size,
            copies: new.copies,
            clean: true,
            lost_reads_zero: new.lost_reads_zero,
            creator: new.creator,
            created_unix_s: new.created_unix_s,
            main: new.main.clone(),
        }
        .checked()
    }

    /// The superblock, if what is written of it can be read again.
    fn checked(self) -> Result<Self, PlanError> {
        match self.validate() {
            Err(SuperblockError::Field(name)) => Err(PlanError::Field(name)),
            _ => Ok(self),
        }
    }

    /// The superblock with a spare more. Where the present spares' page areas have less room than its slots
    /// need, only as many of its slots are used as fit.
    pub fn plan_add(&self, uuid: Uuid, sectors: u64) -> Result<Self, PlanError> {
        let mut next = self.clone();
        if next.members.iter().any(|member| member.uuid == uuid) {
            return Err(PlanError::SameMember);
        }
        let own = pages_bound(sectors.min(MAX_SECTORS), self.block_size);
        let room = self.members.iter().map(|member| member.page_capacity).min().unwrap_or(0);
        let room = room.min((MAX_SLOTS / u64::from(RECORDS_PER_PAGE)) as u32);
        let wanted = u64::from(self.pages()) + own;
        let layout = layout(self.members.len(), sectors, self.block_size, self.copies, wanted)?;
        let (first_page, free) = self.widest_gap(room);
        if free == 0 {
            return Err(PlanError::NoRoomForPages);
        }
        let slots = layout.slots().min(free.saturating_mul(RECORDS_PER_PAGE));
        let page_capacity = layout.page_capacity();
        let member = Member { uuid, sectors, first_page, slots, page_capacity };
        next.members.try_push(member).map_err(|_| PlanError::SpareCount)?;
        next.generation += 1;
        next.checked()
    }

    /// The longest run of map pages below `end` that belong to no member: where it starts and its length.
    fn widest_gap(&self, end: u32) -> (u32, u32) {
        let starts = self.members.iter().map(|member| member.end_page() as u32).chain([0]);
        starts
            .filter(|start| {
                !self
                    .members
                    .iter()
                    .any(|m| (u64::from(m.first_page)..m.end_page()).contains(&u64::from(*start)))
            })
            .map(|start| {
                let next = self.members.iter().map(|m| m.first_page).filter(|&first| first >= start).min();
                (start, next.unwrap_or(end).min(end).saturating_sub(start))
            })
            .max_by_key(|&(_, length)| length)
            .unwrap_or((0, 0))
    }

    /// The superblock with member `index` less. Its slots must be free.
    pub fn plan_remove(&self, index: usize) -> Result<Self, PlanError> {
        let mut next = self.clone();
        if index >= next.members.len() {
            return Err(PlanError::NoMember);
        }
        if next.members.len() == 1 {
            return Err(PlanError::SpareCount);
        }
        next.members.remove(index);
        next.member = 0;
        next.generation += 1;
        Ok(next)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
