//! Writing damaged copies anew from valid ones. In the order of the engine: nothing valid is overwritten, so
//! that a power cut in the middle leaves every structure at least as well as it was.

use anyhow::{Context as _, Result};
use remap_core::layout::{PAGE_BYTES, SUPERBLOCK_SECTORS};
use remap_core::open::CopyState;
use remap_io::disk::AlignedBuffer;

use super::pages::{PageReport, PageState};
use super::{SpareDisk, write_superblock};

/// Whether superblock copy `copy` of `spare` differs from its newest.
pub fn superblock_copy_is_bad(spare: &SpareDisk, copy: usize) -> bool {
    let newest = spare.scan.newest.as_ref().map(|superblock| superblock.generation);
    !matches!(spare.scan.copies.get(copy), Some(CopyState::Valid(generation)) if Some(*generation) == newest)
}

/// Rewrites the superblock copies of `spare` that are not as its newest. Returns how many took it.
pub fn superblocks(spare: &SpareDisk) -> Result<usize> {
    let superblock = spare.superblock()?;
    let bad = (0..SUPERBLOCK_SECTORS.len()).filter(|copy| superblock_copy_is_bad(spare, *copy));
    let written = bad.filter(|copy| write_superblock(&*spare.disk, superblock, *copy).is_ok()).count();
    if written > 0 {
        spare.disk.flush().with_context(|| format!("{}: cannot flush", spare.name))?;
    }
    Ok(written)
}

/// Rewrites the copies of a page that are not as its newest; a flush has to follow. Returns how many took it.
pub fn page(spares: &[&SpareDisk], report: &PageReport<'_>) -> usize {
    let Some(newest) = report.newest else { return 0 };
    let data = AlignedBuffer::copy_of(newest);
    debug_assert_eq!(data.len(), PAGE_BYTES);
    let bad = report.copies.iter().filter(|copy| copy.state != PageState::Good);
    bad.filter(|copy| spares[copy.spare].disk.write(copy.start, &data, false).is_ok()).count()
}
