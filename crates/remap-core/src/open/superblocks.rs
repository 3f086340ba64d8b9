//! Reading and writing the five superblock copies of a spare.

use crate::error::DiskError;
use crate::format::superblock::{Superblock, SuperblockError};
use crate::layout::{PAGE_BYTES, PAGE_SECTORS, SUPERBLOCK_SECTORS};
use crate::port::{Device, Effect, Place, Port};
use crate::units::Sector;

/// What one copy turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyState {
    /// Valid, of this generation.
    Valid(u64),
    /// Not a valid superblock.
    Invalid(SuperblockError),
    /// Cannot be read.
    Unreadable(DiskError),
}

/// What the superblock copies of a spare say.
#[derive(Clone, Debug)]
pub struct SuperblockScan {
    /// The newest valid copy.
    pub newest: Option<Superblock>,
    /// Each copy, in the order of [`SUPERBLOCK_SECTORS`].
    pub copies: [CopyState; 5],
}

impl SuperblockScan {
    /// Before anything has been read.
    pub const NOTHING: Self = Self { newest: None, copies: [CopyState::Invalid(SuperblockError::Magic); 5] };

    /// Why there is no set here, or none that may be opened: the most telling of the copies' states.
    pub fn refusal(&self) -> Option<CopyState> {
        let newer =
            self.copies.iter().find(|copy| matches!(copy, CopyState::Invalid(SuperblockError::Version(_))));
        if let Some(copy) = newer {
            return Some(*copy);
        }
        if self.newest.is_some() {
            return None;
        }
        let telling = |copy: &&CopyState| !matches!(copy, CopyState::Invalid(SuperblockError::Magic));
        Some(*self.copies.iter().find(telling).unwrap_or(&CopyState::Invalid(SuperblockError::Magic)))
    }

    /// How many copies are not what the newest says.
    pub fn damaged(&self) -> usize {
        let newest = self.newest.as_ref().map(|superblock| superblock.generation);
        self.copies
            .iter()
            .filter(|copy| !matches!(copy, CopyState::Valid(generation) if Some(*generation) == newest))
            .count()
    }
}

/// Reads all superblock copies of `device`, which need not be a spare of ours.
pub async fn read_superblocks(port: &Port<'_>, device: Device) -> SuperblockScan {
    let mut scan = SuperblockScan::NOTHING;
    read_superblocks_into(port, device, &mut scan).await;
    scan
}

/// The same in memory of the caller, who starts with [`SuperblockScan::NOTHING`]: the result is large for a
/// kernel's stack.
pub async fn read_superblocks_into(port: &Port<'_>, device: Device, scan: &mut SuperblockScan) {
    let SuperblockScan { newest, copies } = scan;
    for (copy, start) in copies.iter_mut().zip(SUPERBLOCK_SECTORS) {
        let into = Place::Scratch { offset: 0 };
        let effect = Effect::Read { device, start: Sector(start), sectors: PAGE_SECTORS, into };
        if let Err(error) = port.call(effect).await {
            *copy = CopyState::Unreadable(error);
            continue;
        }
        *copy = port.with_scratch(|scratch| take(scratch, newest));
    }
}

/// Looks at one copy, and keeps it if it is the newest. By itself, so that the superblock's room on the stack is
/// not there during IO.
#[inline(never)]
fn take(bytes: &[u8], newest: &mut Option<Superblock>) -> CopyState {
    match Superblock::parse(bytes) {
        Ok(superblock) => {
            let generation = superblock.generation;
            if newest.as_ref().is_none_or(|newest| newest.generation < generation) {
                *newest = Some(superblock);
            }
            CopyState::Valid(generation)
        }
        Err(error) => CopyState::Invalid(error),
    }
}

/// Writes the superblock as member `spare` has it: the first copy that takes it, flush, the others, flush.
/// Fails when no copy took it, or a flush did not work.
pub async fn write(port: &Port<'_>, superblock: &Superblock, spare: usize) -> Result<(), DiskError> {
    let device = Device::Spare(spare);
    let mut outcome = Err(DiskError::Medium);
    for start in SUPERBLOCK_SECTORS {
        port.with_scratch(|scratch| encode_as(superblock, spare, scratch));
        let from = Place::Scratch { offset: 0 };
        let effect = Effect::Write { device, start: Sector(start), sectors: PAGE_SECTORS, from };
        let written = port.call(effect).await;
        if written.is_ok() && outcome.is_err() {
            port.call(Effect::Flush { device }).await?;
        }
        outcome = outcome.or(written);
    }
    outcome?;
    port.call(Effect::Flush { device }).await
}

/// The superblock as member `spare` has it. By itself for the same reason as [`take`].
#[inline(never)]
fn encode_as(superblock: &Superblock, spare: usize, into: &mut [u8]) {
    if let Some(bytes) = into.first_chunk_mut::<PAGE_BYTES>() {
        let mut own = superblock.clone();
        own.member = spare as u32;
        own.encode(bytes);
    }
}
