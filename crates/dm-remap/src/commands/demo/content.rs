//! What the demonstration writes: each sector says where it belongs and which version of it it is, and the
//! rest of it follows from that, so that wrong bytes cannot pass for right ones.

use remap_core::Sector;
use remap_core::units::SECTOR_BYTES;

use super::random::Random;

/// Fills one sector.
pub fn fill(data: &mut [u8; SECTOR_BYTES], sector: Sector, version: u32) {
    if version == 0 {
        data.fill(0);
        return;
    }
    let mut random = Random::new(sector.0 ^ u64::from(version) << 40);
    for word in data.as_chunks_mut::<8>().0 {
        *word = random.next().to_le_bytes();
    }
    data[..8].copy_from_slice(&sector.0.to_le_bytes());
    data[8..12].copy_from_slice(&version.to_le_bytes());
}

/// Which version of `sector` the bytes are; 0 is "never written". `None` when they are neither.
pub fn version_of(data: &[u8; SECTOR_BYTES], sector: Sector) -> Option<u32> {
    let version = u32::from_le_bytes([data[8], data[9], data[10], data[11]]);
    let mut expected = [0; SECTOR_BYTES];
    fill(&mut expected, sector, version);
    (*data == expected).then_some(version)
}

#[cfg(test)]
mod tests;
