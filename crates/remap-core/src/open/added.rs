//! A spare more in a closed set: its copies of all map pages, then the membership.

use crate::error::DiskError;
use crate::format::page::{self, Page, PageHeader};
use crate::format::superblock::Superblock;
use crate::layout::{PAGE_BYTES, PAGE_SECTORS, SpareLayout};
use crate::open::FormatError;
use crate::port::{Device, Effect, Place, Port};
use crate::units::Sector;

/// Formats the spare that `superblock` has more than the closed set, and writes the new membership to all.
/// All members must be there.
///
/// The new spare carries the pages of the present members as they are now, so that it knows their mappings
/// should they go missing the moment after; the present members get empty pages for the new one's slots. No
/// page that counts is overwritten before the new membership is there, so a crash leaves the old set, or the
/// new one.
pub async fn format_added(port: &Port<'_>, superblock: &Superblock, spare: usize) -> Result<(), FormatError> {
    let failed = |error| FormatError { spare, error };
    super::wipe(port, superblock, spare).await.map_err(failed)?;
    let newest = copy_pages(port, superblock, spare).await?;
    if let Some(added) = superblock.members.get(spare) {
        let own = added.first_page..added.first_page + added.pages();
        for other in 0..superblock.members.len() {
            super::write_empty_pages(port, superblock, other, own.clone(), newest + 1)
                .await
                .map_err(|error| FormatError { spare: other, error })?;
        }
    }
    super::write_membership(port, superblock, spare).await
}

/// Writes what the present members have of all pages to the new spare; returns the newest generation met.
async fn copy_pages(port: &Port<'_>, superblock: &Superblock, spare: usize) -> Result<u64, FormatError> {
    let Some(to) = layout(superblock, spare) else {
        return Err(FormatError { spare, error: DiskError::Unsupported });
    };
    let window = (super::scratch_pages(port) / 2).max(1) as u32;
    let pages = superblock.pages();
    let mut newest = 0;
    for first in (0..pages).step_by(window as usize) {
        let count = window.min(pages - first);
        begin_empty(port, superblock, first, count);
        for other in (0..superblock.members.len()).filter(|other| *other != spare) {
            let Some(from) = layout(superblock, other) else { continue };
            for copy in 0..superblock.copies {
                read_window(port, superblock, other, from.page_address(copy, first), first, count).await;
            }
        }
        newest = newest.max(judge(port, superblock, spare, first, count)?);
        for copy in 0..superblock.copies {
            let effect = Effect::Write {
                device: Device::Spare(spare),
                start: to.page_address(copy, first),
                sectors: u64::from(count) * PAGE_SECTORS,
                from: Place::Scratch { offset: 0 },
            };
            port.call(effect).await.map_err(|error| FormatError { spare, error })?;
        }
    }
    let flush = Effect::Flush { device: Device::Spare(spare) };
    port.call(flush).await.map_err(|error| FormatError { spare, error })?;
    Ok(newest)
}

fn layout(superblock: &Superblock, spare: usize) -> Option<SpareLayout> {
    superblock.members.get(spare).and_then(|member| superblock.layout_of(member))
}

/// Empty pages of generation 0 in the first half of scratch memory: older than any that is read.
fn begin_empty(port: &Port<'_>, superblock: &Superblock, first: u32, count: u32) {
    port.with_scratch(|scratch| {
        let pages = scratch.as_chunks_mut::<PAGE_BYTES>().0;
        for (index, bytes) in (first..first + count).zip(pages) {
            page::begin(bytes, PageHeader { set: superblock.set, index, generation: 0 });
            page::seal(bytes);
        }
    });
}

/// Reads a run of one copy's pages behind the pages in scratch memory, and takes over those that are newer;
/// page by page where the run cannot be read.
async fn read_window(
    port: &Port<'_>,
    superblock: &Superblock,
    spare: usize,
    start: Sector,
    first: u32,
    count: u32,
) {
    let device = Device::Spare(spare);
    let behind = count as usize * PAGE_BYTES;
    let into = Place::Scratch { offset: behind };
    let sectors = u64::from(count) * PAGE_SECTORS;
    if port.call(Effect::Read { device, start, sectors, into }).await.is_ok() {
        for at in 0..count {
            take(port, superblock, first, at, behind + at as usize * PAGE_BYTES);
        }
        return;
    }
    for at in 0..count {
        let start = Sector(start.0 + u64::from(at) * PAGE_SECTORS);
        if port.call(Effect::Read { device, start, sectors: PAGE_SECTORS, into }).await.is_ok() {
            take(port, superblock, first, at, behind);
        }
    }
}

/// Takes over the page at byte `offset` of scratch memory for page `first + at`, if it is valid and newer
/// than what is there.
fn take(port: &Port<'_>, superblock: &Superblock, first: u32, at: u32, offset: usize) {
    let index = first + at;
    port.with_scratch(|scratch| {
        let Some((best, read)) = scratch.split_at_mut_checked(offset) else { return };
        let Some(best) = best.as_chunks_mut::<PAGE_BYTES>().0.get_mut(at as usize) else { return };
        let Some(read) = read.first_chunk::<PAGE_BYTES>() else { return };
        let (set, block, sectors) = (superblock.set, superblock.block_size, superblock.main.sectors);
        let Ok(page) = Page::parse(read, set, index, block, sectors) else { return };
        let known = Page::parse_any(best).map_or(0, |best| best.header.generation);
        if page.header.generation > known {
            best.copy_from_slice(read);
        }
    });
}

/// The newest generation in the window. Fails when a page that belongs to a present member was not found.
fn judge(
    port: &Port<'_>,
    superblock: &Superblock,
    spare: usize,
    first: u32,
    count: u32,
) -> Result<u64, FormatError> {
    let mut newest = 0;
    for at in 0..count {
        let generation = port.with_scratch(|scratch| {
            let page = scratch.get(at as usize * PAGE_BYTES..).unwrap_or_default();
            Page::parse_any(page).map_or(0, |page| page.header.generation)
        });
        newest = newest.max(generation);
        if let Some(owner) = superblock.owner_of(first + at)
            && owner != spare
            && generation == 0
        {
            return Err(FormatError { spare: owner, error: DiskError::Medium });
        }
    }
    Ok(newest)
}
