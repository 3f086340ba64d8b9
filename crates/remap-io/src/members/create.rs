//! Making a set. Everything that can be wrong is found before the first byte is written.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use remap_core::format::superblock::{MainIdentity, Superblock};
use remap_core::layout::HEAD_SECTORS;
use remap_core::open::{FormatError, format};
use remap_core::plan::{NewSet, PlanError};
use remap_core::port::Port;
use remap_core::units::SECTOR_BYTES;
use remap_core::{BlockSize, DiskError, Sector, SectorRange};
use rustix::rand::{GetRandomFlags, getrandom};
use uuid::Uuid;

use crate::disk::Disk;

use super::identity::{self, text};
use super::signatures::{Finding, HEAD_BLANK_SECTORS, TAIL_BLANK_SECTORS, find_data, find_signature};
use super::{Bare, Contents, Members, path_of, same_disk};

/// What a new set is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateOptions {
    /// Its name: at most 64 bytes without control characters; may be empty.
    pub name: String,
    /// The unit of remapping: at least the logical block of every member.
    pub block_size: BlockSize,
    /// Copies of each map page on each spare: 2 to 5.
    pub copies: u32,
    /// Whether lost sectors read as zeros instead of failing.
    pub lost_reads_zero: bool,
    /// Format spares that are not blank, or belong to a set.
    pub force: bool,
}

impl Default for CreateOptions {
    fn default() -> Self {
        Self {
            name: String::new(),
            block_size: BlockSize::DEFAULT,
            copies: remap_core::layout::DEFAULT_COPIES,
            lost_reads_zero: false,
            force: false,
        }
    }
}

/// Why a set was not made. Nothing has been written, except after [`Format`](Self::Format).
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Two members are one disk.
    #[error("{} and {} are the same disk: a set needs a spare that is not its main device, and each spare once",
        one.display(), other.display())]
    SameDisk {
        /// The one.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// The name cannot be stored.
    #[error("the name `{0}` is longer than 64 bytes or has control characters")]
    Name(String),
    /// A member has larger logical blocks than the unit of remapping.
    #[error("{} has logical blocks of {logical_bytes} bytes, more than the remap block of {block_bytes}: \
             choose a larger block size", path.display())]
    BlockTooSmall {
        /// The disk.
        path: PathBuf,
        /// Its logical block in bytes.
        logical_bytes: u32,
        /// The unit of remapping in bytes.
        block_bytes: usize,
    },
    /// A spare can only be read.
    #[error("{} can only be read: a spare must be writable", path.display())]
    ReadOnlyDisk {
        /// The disk.
        path: PathBuf,
    },
    /// A spare holds something.
    #[error("{} is not blank: it holds {found}; everything on it would be overwritten, so this needs to be forced",
        path.display())]
    NotBlank {
        /// The disk.
        path: PathBuf,
        /// What was found.
        found: Finding,
    },
    /// Whether a spare is blank cannot be told.
    #[error("{} cannot be read at sector {sector} ({error}): choose another spare", path.display())]
    Unreadable {
        /// The disk.
        path: PathBuf,
        /// Where.
        sector: u64,
        /// How it failed.
        error: DiskError,
    },
    /// The figures make no set.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(std::io::Error),
    /// A spare failed while it was being written; the set was not made.
    #[error("{} could not be written ({error}): the set was not made", path.display())]
    Format {
        /// The disk.
        path: PathBuf,
        /// How it failed.
        error: DiskError,
    },
}

/// Makes a set of the members. Whatever is on the spares is gone; the main device is not written to.
pub fn create(members: &Members, options: &CreateOptions) -> Result<Superblock, CreateError> {
    let spares: Vec<&dyn Disk> = members.spares.iter().map(|spare| &**spare).collect();
    if let Some((one, other)) = same_disk(&*members.main, spares.iter().copied()) {
        return Err(CreateError::SameDisk { one, other });
    }
    for disk in spares.iter().copied().chain([&*members.main]) {
        check_block(disk, options.block_size)?;
    }
    let name = text::<64>(&options.name).unwrap_or_default();
    if name != options.name {
        return Err(CreateError::Name(options.name.clone()));
    }
    let mut sized = Vec::new();
    for spare in &spares {
        sized.push((random_uuid()?, spare.facts().sectors));
    }
    let superblock = Superblock::plan(&NewSet {
        set: random_uuid()?,
        name: name.as_str().try_into().unwrap_or_default(),
        main: identity_of(&*members.main),
        spares: &sized,
        block_size: options.block_size,
        copies: options.copies,
        lost_reads_zero: options.lost_reads_zero,
        creator: creator(),
        created_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    })?;
    for (index, spare) in spares.iter().enumerate() {
        check_spare(*spare, &superblock, index, options.force)?;
    }
    let bare = Bare { main: None, spares: spares.iter().map(|spare| Some(*spare)).collect() };
    bare.run(async |port: &Port<'_>| format(port, &superblock).await).map_err(
        |FormatError { spare, error }| {
            let path = spares.get(spare).map(|spare| path_of(*spare)).unwrap_or_default();
            CreateError::Format { path, error }
        },
    )?;
    Ok(superblock)
}

/// Refuses a disk whose logical block is larger than the unit of remapping.
pub(super) fn check_block(disk: &dyn Disk, block_size: BlockSize) -> Result<(), CreateError> {
    let logical_bytes = disk.facts().logical_block_bytes;
    if logical_bytes as usize > block_size.bytes() {
        let block_bytes = block_size.bytes();
        return Err(CreateError::BlockTooSmall { path: path_of(disk), logical_bytes, block_bytes });
    }
    Ok(())
}

/// Refuses a disk that is to become spare `index` of `superblock`'s set, unless it is blank or forced.
pub(super) fn check_spare(
    spare: &dyn Disk,
    superblock: &Superblock,
    index: usize,
    force: bool,
) -> Result<(), CreateError> {
    let path = path_of(spare);
    if spare.facts().read_only {
        return Err(CreateError::ReadOnlyDisk { path });
    }
    if force {
        return Ok(());
    }
    let unreadable = |(sector, error)| CreateError::Unreadable { path: path.clone(), sector, error };
    let found = match find_signature(spare).map_err(unreadable)? {
        Some(found) => Some(found),
        None => find_data(spare, &ranges_to_be_blank(spare, superblock, index)).map_err(unreadable)?,
    };
    match found {
        Some(found) => Err(CreateError::NotBlank { path, found }),
        None => Ok(()),
    }
}

/// The first 8 MiB, all metadata and the last MiB.
fn ranges_to_be_blank(spare: &dyn Disk, superblock: &Superblock, index: usize) -> Vec<SectorRange> {
    let sectors = spare.facts().sectors;
    let mut ranges = vec![SectorRange::new(Sector(0), HEAD_SECTORS.max(HEAD_BLANK_SECTORS).min(sectors))];
    if let Some(layout) = superblock.members.get(index).and_then(|member| superblock.layout_of(member)) {
        for copy in 0..layout.copies() {
            let start = layout.page_address(copy, 0);
            let end = layout.page_address(copy, layout.page_capacity());
            ranges.push(SectorRange::new(start, end.0 - start.0));
        }
    }
    let tail = sectors.saturating_sub(TAIL_BLANK_SECTORS);
    let block = u64::from(spare.facts().logical_block_bytes) / SECTOR_BYTES as u64;
    let tail = Sector(tail / block * block);
    ranges.push(SectorRange::new(tail, sectors - tail.0));
    ranges
}

/// What the main device is known by. What is on it is read from itself: no mapping is in the way yet.
fn identity_of(main: &dyn Disk) -> MainIdentity {
    let facts = main.facts();
    let contents =
        Contents::look(facts.sectors, facts.logical_block_bytes, |start, into| main.read(start, into));
    MainIdentity {
        filesystem_uuid: identity::stored::<40, _>(Some(contents.id())),
        ..identity::of(facts, main.path())
    }
}

pub(super) fn random_uuid() -> Result<Uuid, CreateError> {
    let mut bytes = [0; 16];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|errno| CreateError::Random(errno.into()))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// This program's version: major << 16, minor << 8, patch.
fn creator() -> u32 {
    let mut parts = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse::<u32>().unwrap_or(0) & 0xff);
    let mut next = || parts.next().unwrap_or(0);
    next() << 16 | next() << 8 | next()
}
