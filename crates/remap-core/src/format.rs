//! The on-disk format: what a superblock and a map page are, byte by byte. See `docs/format.md`.
//!
//! Codecs only: nothing here reads or writes a disk, and nothing it is given can make it panic.

mod bytes;
pub mod page;
pub mod superblock;

use crc::{CRC_32_ISCSI, Crc, Table};

/// CRC-32C (Castagnoli), as iSCSI, ext4 and btrfs use it. Sixteen tables: bytes per round, no special
/// instructions, so that it is the same in a kernel.
const CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The checksum of a metadata structure: CRC-32C over all of it, with the four bytes at `at` taken as zero.
fn checksum(structure: &[u8], at: usize) -> u32 {
    let mut digest = CRC32C.digest();
    digest.update(structure.get(..at).unwrap_or_default());
    digest.update(&[0; 4]);
    digest.update(structure.get(at + 4..).unwrap_or_default());
    digest.finalize()
}
