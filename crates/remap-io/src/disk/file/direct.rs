//! Whether a file takes IO past the page cache, and in which units.
//!
//! Asks the kernel where it tells, and tries where it does not; decides nothing about what to do without.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, OFlags, StatxFlags, fcntl_getfl, fcntl_setfl, statx};
use rustix::io::{Errno, Result, pread};

use crate::disk::aligned::{AlignedBuffer, PAGE_BYTES};

/// What direct IO on a file must be aligned to, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alignment {
    pub(super) buffer: usize,
    pub(super) offset: u32,
}

/// Switches `file` to direct IO if it takes that, and tells the alignment it wants; `None`, and nothing
/// changed, if it does not. `at_least` is the smallest unit to consider, in bytes.
pub(super) fn switch_on(file: BorrowedFd<'_>, at_least: u32) -> Result<Option<Alignment>> {
    let told = told(file);
    if let Some(Alignment { buffer: 0, .. } | Alignment { offset: 0, .. }) = told {
        return Ok(None);
    }
    let flags = fcntl_getfl(file)?;
    match fcntl_setfl(file, flags | OFlags::DIRECT) {
        Ok(()) => {}
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(None),
        Err(errno) => return Err(errno),
    }
    if let Some(told) = told {
        return Ok(Some(Alignment { offset: told.offset.max(at_least), ..told }));
    }
    for unit in [at_least, PAGE_BYTES as u32] {
        let mut probe = AlignedBuffer::zeroed(unit as usize);
        // Any other error is about the medium, and reported when that place is read in earnest.
        if pread(file, &mut probe[..], 0) != Err(Errno::INVAL) {
            return Ok(Some(Alignment { buffer: unit as usize, offset: unit }));
        }
    }
    fcntl_setfl(file, flags)?;
    Ok(None)
}

/// What the kernel tells by `STATX_DIOALIGN` (Linux 6.1): nothing where the filesystem does not say, zeros
/// where it says that there is no direct IO.
fn told(file: BorrowedFd<'_>) -> Option<Alignment> {
    let answer = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN).ok()?;
    (answer.stx_mask & StatxFlags::DIOALIGN.bits() != 0).then_some(Alignment {
        buffer: answer.stx_dio_mem_align as usize,
        offset: answer.stx_dio_offset_align,
    })
}
