//! Reads and writes of single sectors past the kernel's cache, with the error number that they end with.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// Bytes of a sector.
pub const SECTOR_BYTES: usize = 512;

/// A block device or file, opened for direct IO.
#[derive(Debug)]
pub struct Direct {
    file: File,
}

impl Direct {
    /// Opens `path` for reading and writing.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = i32::try_from(OFlags::DIRECT.bits())?;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
        Ok(Self { file: file.with_context(|| format!("opening {}", path.display()))? })
    }

    /// `count` sectors from `sector` on.
    pub fn read(&self, sector: u64, count: usize) -> Result<Vec<u8>, Errno> {
        let mut memory = vec![0; count * SECTOR_BYTES + ALIGNMENT];
        let buffer = aligned(&mut memory);
        let length = rustix::io::pread(&self.file, &mut buffer[..], sector * SECTOR_BYTES as u64)?;
        // A direct request ends early only at the end of the disk or before a sector that fails.
        if length < buffer.len() { Err(Errno::IO) } else { Ok(buffer.to_vec()) }
    }

    /// Writes whole sectors from `sector` on.
    pub fn write(&self, sector: u64, bytes: &[u8]) -> Result<(), Errno> {
        let mut memory = vec![0; bytes.len() + ALIGNMENT];
        let buffer = aligned(&mut memory);
        buffer.copy_from_slice(bytes);
        let length = rustix::io::pwrite(&self.file, buffer, sector * SECTOR_BYTES as u64)?;
        if length < buffer.len() { Err(Errno::IO) } else { Ok(()) }
    }

    /// Makes durable what was written.
    pub fn flush(&self) -> Result<(), Errno> {
        rustix::fs::fdatasync(&self.file)
    }

    /// The sectors among `sectors` of which a read of that sector alone fails, with what it fails with.
    pub fn unreadable(&self, sectors: std::ops::Range<u64>) -> Vec<(u64, Errno)> {
        sectors.filter_map(|sector| self.read(sector, 1).err().map(|error| (sector, error))).collect()
    }

    /// Writes [`pattern`] to each of `sectors`.
    pub fn fill(&self, sectors: std::ops::Range<u64>, seed: u64) -> Result<()> {
        for sector in sectors {
            self.write(sector, &pattern(sector, seed)).with_context(|| format!("writing sector {sector}"))?;
        }
        Ok(())
    }

    /// Fails unless each of `sectors` holds its [`pattern`].
    pub fn verify(&self, sectors: std::ops::Range<u64>, seed: u64) -> Result<()> {
        for sector in sectors {
            let found = self.read(sector, 1).with_context(|| format!("reading sector {sector}"))?;
            ensure!(found == pattern(sector, seed), "sector {sector} holds other bytes than were written");
        }
        Ok(())
    }
}

/// What an address must be a multiple of for direct IO on any device.
const ALIGNMENT: usize = 4096;

/// All but [`ALIGNMENT`] bytes of `memory`, at an address that direct IO accepts.
fn aligned(memory: &mut [u8]) -> &mut [u8] {
    let start = memory.as_ptr().align_offset(ALIGNMENT);
    let length = memory.len() - ALIGNMENT;
    &mut memory[start..start + length]
}

/// Bytes that no other sector holds and no other `seed` gives.
pub fn pattern(sector: u64, seed: u64) -> Vec<u8> {
    let words = (0..SECTOR_BYTES as u64 / 8).map(|index| {
        // Steps of the generator splitmix64, each from a start of its own.
        let mut x = (sector ^ seed.rotate_left(32)).wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    });
    words.flat_map(u64::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::{SECTOR_BYTES, pattern};

    #[test]
    fn patterns_differ_by_sector_and_by_seed() {
        assert_eq!(pattern(7, 1).len(), SECTOR_BYTES);
        assert_eq!(pattern(7, 1), pattern(7, 1));
        assert_ne!(pattern(7, 1), pattern(8, 1));
        assert_ne!(pattern(7, 1), pattern(7, 2));
    }
}
