//! A spare that no set is using: what its metadata says, copy by copy.
//!
//! Owns reading and rewriting metadata off-line. What a structure means is `remap-core`'s business; opening a
//! set is `remap-io`'s.

use anyhow::{Context as _, Result};
use remap_core::format::superblock::{Member, Superblock};
use remap_core::layout::{PAGE_BYTES, PAGE_SECTORS, SUPERBLOCK_SECTORS, SpareLayout};
use remap_core::open::{CopyState, SuperblockScan};
use remap_core::{DiskError, Sector};
use remap_io::disk::{AlignedBuffer, Disk};
use remap_io::members::scan;

use crate::exit::refusal;

pub mod backup;
pub mod legacy;
pub mod pages;
pub mod repair;

/// A disk that may be a spare, and what its superblock copies say.
#[derive(Debug)]
pub struct SpareDisk {
    /// As it was named.
    pub name: String,
    pub disk: Box<dyn Disk>,
    pub scan: SuperblockScan,
}

impl SpareDisk {
    /// Reads the superblock copies of `disk`.
    pub fn read(name: String, disk: Box<dyn Disk>) -> Self {
        let scan = scan(&*disk);
        Self { name, disk, scan }
    }

    /// The newest superblock; an error that says why there is none.
    pub fn superblock(&self) -> Result<&Superblock> {
        match (self.scan.refusal(), &self.scan.newest) {
            (None, Some(superblock)) => Ok(superblock),
            (why, _) => {
                let why = why.map_or_else(String::new, describe);
                Err(refusal(format!("{} is no spare of a dm-remap set: {why}", self.name)))
            }
        }
    }

    /// The superblock, the member that this disk is, and where things lie on it.
    pub fn place(&self) -> Result<(&Superblock, &Member, SpareLayout)> {
        let superblock = self.superblock()?;
        let member = superblock.members.get(superblock.member as usize).context("a member of its own set")?;
        let layout = superblock.layout_of(member).context("a layout that was checked")?;
        if self.disk.facts().sectors < member.sectors {
            return Err(refusal(format!(
                "{} is truncated: it has {} sectors, and had {} when it became a spare; give it its size back",
                self.name,
                self.disk.facts().sectors,
                member.sectors
            )));
        }
        Ok((superblock, member, layout))
    }
}

/// What a copy's state means, for a person.
pub fn describe(state: CopyState) -> String {
    match state {
        CopyState::Valid(generation) => format!("valid, generation {generation}"),
        CopyState::Invalid(error) => error.to_string(),
        CopyState::Unreadable(error) => format!("cannot be read ({error})"),
    }
}

/// Writes one superblock copy.
fn write_superblock(disk: &dyn Disk, superblock: &Superblock, copy: usize) -> Result<(), DiskError> {
    let mut bytes = AlignedBuffer::zeroed(PAGE_BYTES);
    if let Some(bytes) = bytes.first_chunk_mut::<PAGE_BYTES>() {
        superblock.encode(bytes);
    }
    disk.write(Sector(SUPERBLOCK_SECTORS[copy]), &bytes, false)
}

const _: () = assert!(PAGE_SECTORS * 512 == PAGE_BYTES as u64);
