//! Making, finding, opening and closing sets: everything between a spare's bytes and a running engine.

mod added;
pub(crate) mod load;
mod superblocks;

pub use added::format_added;
pub use load::{Loaded, OpenError, OpenOptions, load, open};
pub use superblocks::{CopyState, SuperblockScan, read_superblocks, read_superblocks_into};

use crate::error::DiskError;
use crate::format::page::{self, PageHeader};
use crate::format::superblock::Superblock;
use crate::layout::{HEAD_SECTORS, PAGE_BYTES, PAGE_SECTORS};
use crate::port::{Device, Effect, Place, Port};
use crate::recovery::Recovery;
use crate::set::SetState;
use crate::units::{SECTOR_BYTES, Sector};
use core::fmt;

/// The last MiB of a spare is wiped too: GPT, MD and ZFS keep marks there.
const TAIL_SECTORS: u64 = 2048;

/// A spare that could not be formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Which spare of the set.
    pub spare: usize,
    /// What it answered.
    pub error: DiskError,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spare {} could not be formatted: {}", self.spare, self.error)
    }
}

impl core::error::Error for FormatError {}

/// Formats all spares of a new set. Whatever was on them is gone; whether it may go is the caller's business.
///
/// The old identity goes first and the new one comes last, so that a spare is never half of either.
pub async fn format(port: &Port<'_>, superblock: &Superblock) -> Result<(), FormatError> {
    for (spare, _) in superblock.members.iter().enumerate() {
        wipe(port, superblock, spare).await.map_err(|error| FormatError { spare, error })?;
        write_empty_pages(port, superblock, spare, 0..superblock.pages(), 1)
            .await
            .map_err(|error| FormatError { spare, error })?;
    }
    for (spare, _) in superblock.members.iter().enumerate() {
        superblocks::write(port, superblock, spare).await.map_err(|error| FormatError { spare, error })?;
    }
    Ok(())
}

/// Writes a changed membership to all members, `first` before the others.
pub async fn write_membership(
    port: &Port<'_>,
    superblock: &Superblock,
    first: usize,
) -> Result<(), FormatError> {
    superblocks::write(port, superblock, first).await.map_err(|error| FormatError { spare: first, error })?;
    for other in (0..superblock.members.len()).filter(|other| *other != first) {
        superblocks::write(port, superblock, other)
            .await
            .map_err(|error| FormatError { spare: other, error })?;
    }
    Ok(())
}

/// Zeroes the head and the tail of a spare, old superblocks included. For formatting, and for a spare that
/// has left its set.
pub async fn wipe(port: &Port<'_>, superblock: &Superblock, spare: usize) -> Result<(), DiskError> {
    let sectors = superblock.members.get(spare).map_or(0, |member| member.sectors);
    let tail = sectors.saturating_sub(TAIL_SECTORS).max(HEAD_SECTORS);
    port.with_scratch(|scratch| scratch.fill(0));
    for (from, to) in [(0, HEAD_SECTORS), (tail, sectors)] {
        write_repeated(port, spare, from, to).await?;
    }
    port.call(Effect::Flush { device: Device::Spare(spare) }).await
}

/// Writes the scratch memory over sectors `from..to`, again and again.
async fn write_repeated(port: &Port<'_>, spare: usize, from: u64, to: u64) -> Result<(), DiskError> {
    let chunk = scratch_pages(port) * PAGE_SECTORS;
    let mut at = from;
    while at < to {
        let sectors = chunk.min(to - at);
        let from = Place::Scratch { offset: 0 };
        port.call(Effect::Write { device: Device::Spare(spare), start: Sector(at), sectors, from }).await?;
        at += sectors;
    }
    Ok(())
}

/// How many pages fit into scratch memory; at most [`load::WINDOW`].
fn scratch_pages(port: &Port<'_>) -> u64 {
    port.with_scratch(|scratch| (scratch.len() / PAGE_BYTES).clamp(1, load::WINDOW) as u64)
}

/// Writes empty map pages of `generation` to all copies of a spare.
async fn write_empty_pages(
    port: &Port<'_>,
    superblock: &Superblock,
    spare: usize,
    pages: core::ops::Range<u32>,
    generation: u64,
) -> Result<(), DiskError> {
    let layout = superblock.members.get(spare).and_then(|member| superblock.layout_of(member));
    let Some(layout) = layout else { return Err(DiskError::Unsupported) };
    let window = scratch_pages(port) as usize;
    for first in pages.clone().step_by(window) {
        let count = (pages.end - first).min(window as u32);
        port.with_scratch(|scratch| {
            for (at, bytes) in scratch.as_chunks_mut::<PAGE_BYTES>().0.iter_mut().enumerate() {
                let index = first.saturating_add(at as u32);
                page::begin(bytes, PageHeader { set: superblock.set, index, generation });
                page::seal(bytes);
            }
        });
        for copy in 0..superblock.copies {
            let effect = Effect::Write {
                device: Device::Spare(spare),
                start: layout.page_address(copy, first),
                sectors: u64::from(count) * (PAGE_BYTES / SECTOR_BYTES) as u64,
                from: Place::Scratch { offset: 0 },
            };
            port.call(effect).await?;
        }
    }
    port.call(Effect::Flush { device: Device::Spare(spare) }).await
}

impl Recovery<'_, '_> {
    /// Marks the set as in use, on all spares. Any spare that does not take it fails the whole.
    pub(crate) async fn mark_open(&mut self, port: &Port<'_>) -> Result<(), FormatError> {
        self.mark(port, false).await
    }

    /// As [`close_knowing`](Self::close_knowing), for a user of the set that does not look at what is on it.
    pub async fn close(&mut self, port: &Port<'_>) -> Result<(), FormatError> {
        // What was known has perhaps been overwritten since.
        self.close_knowing(port, "").await
    }

    /// Makes everything durable and marks the set as closed cleanly. To be called when no request is under
    /// way and none will come. `filesystem_uuid` is of what is on the set, see
    /// [`MainIdentity`](crate::format::superblock::MainIdentity); empty where that is not known.
    pub async fn close_knowing(&mut self, port: &Port<'_>, filesystem_uuid: &str) -> Result<(), FormatError> {
        if self.set().state() == SetState::ReadOnly {
            return Ok(());
        }
        // The main device's own failure to flush has been told to whoever asked for a flush.
        let _ = port.call(Effect::Flush { device: Device::Main }).await;
        for (spare, view) in self.set().spares().iter().enumerate() {
            if view.is_writable() {
                port.call(Effect::Flush { device: Device::Spare(spare) })
                    .await
                    .map_err(|error| FormatError { spare, error })?;
            }
        }
        self.note_filesystem(filesystem_uuid);
        self.mark(port, true).await
    }

    async fn mark(&mut self, port: &Port<'_>, clean: bool) -> Result<(), FormatError> {
        let mut superblock = self.superblock().clone();
        superblock.generation += 1;
        superblock.clean = clean;
        for (spare, view) in self.set().spares().iter().enumerate() {
            if view.is_writable() {
                superblocks::write(port, &superblock, spare)
                    .await
                    .map_err(|error| FormatError { spare, error })?;
            }
        }
        self.replace_superblock(superblock);
        Ok(())
    }
}
