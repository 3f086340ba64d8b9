//! Ranges of sectors as they are typed: `100`, `100+8`, `100-107`, `1M+4K`, `1M-2M`.

use remap_core::units::{MAX_SECTORS, SECTOR_BYTES};
use remap_core::{Sector, SectorRange};

use super::size::{self, Size, Unit};

/// For `--help`.
pub const HELP: &str = "Sectors of 512 bytes: START+COUNT, START-LAST, or one sector; all of these also as \
    sizes. 100+8 and 100-107 are the same eight sectors; 1M+4K and 1M-1028K are eight sectors from byte 1048576";

/// Reads a range, for clap. Plain numbers are sectors, and `100-107` includes 107; a size behind the dash is
/// where the range ends, as in parted.
pub fn parse(text: &str) -> Result<SectorRange, String> {
    let range = if let Some((start, count)) = text.split_once('+') {
        SectorRange::new(Sector(sectors(start)?), sectors(count)?)
    } else if let Some((start, end)) = text.split_once('-') {
        let start = sectors(start)?;
        let is_size = size::parse(end, Unit::Sectors)?.has_suffix;
        let end = sectors(end)? + u64::from(!is_size);
        let count = end.checked_sub(start).ok_or_else(|| format!("`{text}` ends before it starts"))?;
        SectorRange::new(Sector(start), count)
    } else {
        SectorRange::new(Sector(sectors(text)?), 1)
    };
    if range.sectors == 0 {
        return Err(format!("`{text}` is empty: a range has at least one sector"));
    }
    if !range.fits(MAX_SECTORS) {
        return Err(format!("`{text}` lies behind the end of any disk"));
    }
    Ok(range)
}

fn sectors(text: &str) -> Result<u64, String> {
    let Size { bytes, .. } = size::parse(text, Unit::Sectors)?;
    if bytes.is_multiple_of(SECTOR_BYTES as u64) {
        Ok(bytes / SECTOR_BYTES as u64)
    } else {
        Err(format!("`{text}` is not a whole number of sectors of {SECTOR_BYTES} bytes"))
    }
}

/// `sector 100`, `sectors 100-107`: the form that [`parse`] takes again.
pub fn show(range: SectorRange) -> String {
    match range.sectors {
        1 => format!("sector {}", range.start),
        _ => format!("sectors {}-{}", range.start, range.end().0.saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests;
