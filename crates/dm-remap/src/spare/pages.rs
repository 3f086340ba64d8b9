//! Every copy of every map page of a set that is not running, across those of its spares that are given.

use std::fmt;

use anyhow::{Context as _, Result};
use remap_core::format::page::{Page, PageError};
use remap_core::format::superblock::Superblock;
use remap_core::layout::{PAGE_BYTES, PAGE_SECTORS, RECORDS_PER_PAGE, SpareLayout};
use remap_core::record::Record;
use remap_core::{DiskError, Sector};
use remap_io::disk::{AlignedBuffer, Disk};

use super::SpareDisk;

/// Pages that are read at once.
const WINDOW: u32 = 64;

/// What one copy of a page turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// The newest there is.
    Good,
    /// Valid and older than another copy: the power went before it was written, as can happen.
    Stale,
    /// Not valid.
    Damaged(PageError),
    /// Valid by itself, with records of slots that the set does not have.
    Stray,
    /// Cannot be read.
    Unreadable(DiskError),
}

impl fmt::Display for PageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::Stale => f.write_str("older than another copy"),
            Self::Damaged(error) => error.fmt(f),
            Self::Stray => f.write_str("records of slots that the set does not have"),
            Self::Unreadable(error) => write!(f, "cannot be read ({error})"),
        }
    }
}

/// One copy of one page.
#[derive(Clone, Copy, Debug)]
pub struct PageCopy {
    /// Index among the given spares.
    pub spare: usize,
    pub copy: u32,
    pub start: Sector,
    pub state: PageState,
}

/// All that is known of one page.
#[derive(Debug)]
pub struct PageReport<'w> {
    pub index: u32,
    /// The bytes of the newest valid copy.
    pub newest: Option<&'w [u8; PAGE_BYTES]>,
    pub copies: Vec<PageCopy>,
}

/// One copy of a window of pages.
struct Run {
    spare: usize,
    copy: u32,
    layout: SpareLayout,
    data: AlignedBuffer,
    /// By page of the window; generations of valid ones.
    found: Vec<Result<u64, PageState>>,
}

/// Reads every copy of every page, and hands out page by page what was found, ascending.
pub fn examine(spares: &[&SpareDisk], mut visit: impl FnMut(PageReport<'_>) -> Result<()>) -> Result<()> {
    let Some(newest) = newest_superblock(spares)? else { return Ok(()) };
    let mut runs = Vec::new();
    for (spare, disk) in spares.iter().enumerate() {
        let (_, _, layout) = disk.place()?;
        for copy in 0..newest.copies {
            let data = AlignedBuffer::zeroed(WINDOW as usize * PAGE_BYTES);
            runs.push(Run { spare, copy, layout, data, found: Vec::new() });
        }
    }
    let pages = newest.pages();
    for first in (0..pages).step_by(WINDOW as usize) {
        let count = WINDOW.min(pages - first);
        for run in &mut runs {
            run.read(&*spares[run.spare].disk, newest, first, count);
        }
        for at in 0..count as usize {
            visit(judge(&runs, first, at))?;
        }
    }
    Ok(())
}

/// The newest valid copy of each page on a disk that has lost its superblocks, where `superblock` says they lie.
pub fn newest_by(disk: &dyn Disk, superblock: &Superblock) -> Result<Vec<Option<Box<[u8; PAGE_BYTES]>>>> {
    let member = superblock.members.get(superblock.member as usize);
    let layout =
        member.and_then(|member| superblock.layout_of(member)).context("a layout that was checked")?;
    let mut pages = Vec::new();
    let mut bytes = AlignedBuffer::zeroed(PAGE_BYTES);
    for index in 0..superblock.pages() {
        let mut newest: Option<(u64, Box<[u8; PAGE_BYTES]>)> = None;
        for copy in 0..superblock.copies {
            let read = disk.read(layout.page_address(copy, index), &mut bytes);
            let Some(page) = bytes.first_chunk::<PAGE_BYTES>().filter(|_| read.is_ok()) else { continue };
            if let Ok(generation) = parse(page, superblock, index)
                && newest.as_ref().is_none_or(|(known, _)| *known < generation)
            {
                newest = Some((generation, Box::new(*page)));
            }
        }
        pages.push(newest.map(|(_, page)| page));
    }
    Ok(pages)
}

/// The newest superblock of spares of one set.
pub fn newest_superblock<'s>(spares: &[&'s SpareDisk]) -> Result<Option<&'s Superblock>> {
    let mut newest: Option<&Superblock> = None;
    for spare in spares {
        let superblock = spare.superblock()?;
        if newest.is_none_or(|newest| newest.generation < superblock.generation) {
            newest = Some(superblock);
        }
    }
    Ok(newest)
}

impl Run {
    fn read(&mut self, disk: &dyn Disk, superblock: &Superblock, first: u32, count: u32) {
        self.found.clear();
        let bytes = count as usize * PAGE_BYTES;
        let whole = disk.read(self.layout.page_address(self.copy, first), &mut self.data[..bytes]);
        let pages = self.data[..bytes].as_chunks_mut::<PAGE_BYTES>().0;
        for (index, page) in (first..).zip(pages) {
            let read = if whole.is_ok() {
                Ok(())
            } else {
                disk.read(self.layout.page_address(self.copy, index), page)
            };
            self.found.push(match read {
                Ok(()) => parse(page, superblock, index),
                Err(error) => Err(PageState::Unreadable(error)),
            });
        }
    }

    fn page(&self, at: usize) -> Option<&[u8; PAGE_BYTES]> {
        self.data.as_chunks::<PAGE_BYTES>().0.get(at)
    }
}

/// The generation of a valid page.
fn parse(bytes: &[u8; PAGE_BYTES], superblock: &Superblock, index: u32) -> Result<u64, PageState> {
    let (set, block_size, sectors) = (superblock.set, superblock.block_size, superblock.main.sectors);
    let page = Page::parse(bytes, set, index, block_size, sectors).map_err(PageState::Damaged)?;
    let has_slot = |record: u32| {
        let slot = u64::from(index) * u64::from(RECORDS_PER_PAGE) + u64::from(record);
        superblock.members.iter().any(|member| {
            let first = u64::from(member.first_page) * u64::from(RECORDS_PER_PAGE);
            (first..first + u64::from(member.slots)).contains(&slot)
        })
    };
    let stray = (0..RECORDS_PER_PAGE).any(|at| page.record(at) != Record::Free && !has_slot(at));
    if stray { Err(PageState::Stray) } else { Ok(page.header.generation) }
}

fn judge(runs: &[Run], first: u32, at: usize) -> PageReport<'_> {
    let index = first + at as u32;
    let newest = runs.iter().filter(|run| run.found[at].is_ok()).max_by_key(|run| run.found[at].unwrap_or(0));
    let generation = newest.map(|run| run.found[at]);
    let copies = runs.iter().map(|run| PageCopy {
        spare: run.spare,
        copy: run.copy,
        start: run.layout.page_address(run.copy, index),
        state: match run.found[at] {
            found if Some(found) == generation => PageState::Good,
            // A copy that was repaired is of a later generation than the others, and says the same.
            Ok(_) if newest.is_some_and(|newest| says_the_same(newest.page(at), run.page(at))) => {
                PageState::Good
            }
            Ok(_) => PageState::Stale,
            Err(state) => state,
        },
    });
    PageReport { index, newest: newest.and_then(|run| run.page(at)), copies: copies.collect() }
}

/// Whether two valid pages hold the same records.
fn says_the_same(one: Option<&[u8; PAGE_BYTES]>, other: Option<&[u8; PAGE_BYTES]>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            let (Ok(one), Ok(other)) = (Page::parse_any(one), Page::parse_any(other)) else { return false };
            (0..RECORDS_PER_PAGE).all(|at| one.record(at) == other.record(at))
        }
        _ => false,
    }
}

const _: () = assert!(PAGE_SECTORS as usize * 512 == PAGE_BYTES);
