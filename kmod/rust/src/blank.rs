//! Whether a device that is to become a spare is blank: zeros wherever a format has its marks, and wherever
//! metadata will lie.

use remap_core::DiskError;
use remap_core::format::superblock::Superblock;
use remap_core::layout::HEAD_SECTORS;

use crate::glue::{DeviceNumber, Glue};

/// The head that must be zero: 8 MiB, where every file system, label and partition table begins.
const HEAD_BLANK_SECTORS: u64 = 16384;
/// The tail that must be zero: 1 MiB, where GPT, MD and ZFS keep marks.
const TAIL_BLANK_SECTORS: u64 = 2048;

/// The first sector that is not zero of those that member `index` of `superblock`'s set would lose, if any; or
/// where the device cannot be read.
pub fn first_data(
    glue: Glue,
    device: DeviceNumber,
    superblock: &Superblock,
    index: usize,
    scratch: &mut [u8],
) -> Result<Option<u64>, (u64, DiskError)> {
    let Some(member) = superblock.members.get(index) else { return Ok(None) };
    let sectors = member.sectors;
    let mut find = |from: u64, to: u64| first_data_in(glue, device, from, to.min(sectors), scratch);
    if let Some(found) = find(0, HEAD_SECTORS.max(HEAD_BLANK_SECTORS))? {
        return Ok(Some(found));
    }
    if let Some(layout) = superblock.layout_of(member) {
        for copy in 0..layout.copies() {
            let from = layout.page_address(copy, 0).0;
            if let Some(found) = find(from, layout.page_address(copy, layout.page_capacity()).0)? {
                return Ok(Some(found));
            }
        }
    }
    // A whole multiple of the largest logical block.
    find(sectors.saturating_sub(TAIL_BLANK_SECTORS) & !15, sectors)
}

fn first_data_in(
    glue: Glue,
    device: DeviceNumber,
    from: u64,
    to: u64,
    scratch: &mut [u8],
) -> Result<Option<u64>, (u64, DiskError)> {
    let mut at = from;
    while at < to {
        let sectors = (scratch.len() as u64 / 512).min(to - at);
        let Some(piece) = scratch.get_mut(..sectors as usize * 512) else { return Ok(None) };
        if sectors == 0 {
            return Ok(None);
        }
        glue.read(device, at, piece).map_err(|error| (at, error))?;
        if let Some(byte) = piece.iter().position(|byte| *byte != 0) {
            return Ok(Some(at + byte as u64 / 512));
        }
        at += sectors;
    }
    Ok(None)
}
