//! Lists of bad sectors that other programs write and read.
//!
//! Owns text formats only: bytes in, sector ranges out, and back. Whatever the bytes are, the answer is a
//! list or an error that names the line.

use remap_core::SectorRange;

pub mod badblocks;
pub mod ddrescue;

/// The ranges ascending, those that touch or overlap made one, empty ones left out.
pub fn merged(mut ranges: Vec<SectorRange>) -> Vec<SectorRange> {
    ranges.retain(|range| range.sectors > 0);
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, last| {
        let touches = next.start <= last.end();
        if touches {
            last.sectors = last.end().max(next.end()).0 - last.start.0;
        }
        touches
    });
    ranges
}

#[cfg(test)]
mod tests;
