//! What is on a disk already: well-known marks, or data of any kind.
//!
//! A spare is formatted only when nothing is found here, or when it is forced. Offsets and magics are those
//! of the formats' own documentation, as libblkid has them too.

use std::fmt;

use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};

use crate::disk::{AlignedBuffer, Disk};

/// The head of a disk that must be zero for it to be blank: 8 MiB.
pub(super) const HEAD_BLANK_SECTORS: u64 = 16384;
/// The tail of a disk that must be zero for it to be blank: 1 MiB.
pub(super) const TAIL_BLANK_SECTORS: u64 = 2048;

/// What was found on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A mark of a well-known format.
    Signature(&'static str),
    /// A spare of one of our sets.
    Set {
        /// The name of the set; may be empty.
        name: String,
        /// The UUID of the set.
        uuid: String,
    },
    /// Something else.
    Data {
        /// The first sector that is not zero.
        sector: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(name) => f.write_str(name),
            Self::Set { name, uuid } if name.is_empty() => write!(f, "a spare of the dm-remap set {uuid}"),
            Self::Set { name, uuid } => write!(f, "a spare of the dm-remap set {name} ({uuid})"),
            Self::Data { sector } => write!(f, "data that is not zero at sector {sector}"),
        }
    }
}

struct Mark {
    name: &'static str,
    /// Bytes from the start.
    at: usize,
    magic: &'static [u8],
}

const fn mark(name: &'static str, at: usize, magic: &'static [u8]) -> Mark {
    Mark { name, at, magic }
}

/// How much of the head is looked at.
const HEAD_BYTES: usize = 512 * 1024;

/// Order matters: what says most comes first, what many formats share comes last.
const MARKS: &[Mark] = &[
    mark("a LUKS container", 0, b"LUKS\xba\xbe"),
    mark("a LUKS container", 16384, b"SKUL\xba\xbe"),
    mark("an LVM2 physical volume", 0, b"LABELONE"),
    mark("an LVM2 physical volume", 512, b"LABELONE"),
    mark("an LVM2 physical volume", 1024, b"LABELONE"),
    mark("an LVM2 physical volume", 1536, b"LABELONE"),
    mark("a member of an MD RAID array", 0, b"\xfc\x4e\x2b\xa9"),
    mark("a member of an MD RAID array", 4096, b"\xfc\x4e\x2b\xa9"),
    mark("a btrfs filesystem", 0x10040, b"_BHRfS_M"),
    mark("an XFS filesystem", 0, b"XFSB"),
    mark("an ext2, ext3 or ext4 filesystem", 1080, b"\x53\xef"),
    mark("a bcachefs filesystem", 4120, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"),
    mark("a bcachefs filesystem", 4120, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"),
    mark("an F2FS filesystem", 1024, b"\x10\x20\xf5\xf2"),
    mark("a ReiserFS filesystem", 65588, b"ReIsEr"),
    mark("a JFS filesystem", 32768, b"JFS1"),
    mark("an ISO 9660 filesystem", 32769, b"CD001"),
    mark("a UDF filesystem", 32769, b"NSR0"),
    mark("a SquashFS filesystem", 0, b"hsqs"),
    mark("an EROFS filesystem", 1024, b"\xe2\xe1\xf5\xe0"),
    mark("an APFS container", 32, b"NXSB"),
    mark("an HFS+ filesystem", 1024, b"H+\x00"),
    mark("a swap area", 4086, b"SWAPSPACE2"),
    mark("a swap area", 4086, b"SWAP-SPACE"),
    mark("a swap area", 16374, b"SWAPSPACE2"),
    mark("a swap area", 65526, b"SWAPSPACE2"),
    mark("a suspended system's memory", 4086, b"S1SUSPEND"),
    mark("a dm-integrity device", 0, b"integrt\x00"),
    mark("a dm-verity device", 0, b"verity\x00\x00"),
    mark("a VDO volume", 0, b"dmvdo001"),
    mark("an NTFS filesystem", 3, b"NTFS    "),
    mark("an exFAT filesystem", 3, b"EXFAT   "),
    mark("a FAT filesystem", 54, b"FAT12   "),
    mark("a FAT filesystem", 54, b"FAT16   "),
    mark("a FAT filesystem", 82, b"FAT32   "),
    mark("a GPT partition table", 512, b"EFI PART"),
    mark("a GPT partition table", 4096, b"EFI PART"),
    mark("an MBR partition table or boot sector", 510, b"\x55\xaa"),
];

/// The first mark that is found, ours first. `Err` has the sector that cannot be read.
pub fn find_signature(disk: &dyn Disk) -> Result<Option<Finding>, (u64, DiskError)> {
    if let Some(superblock) = super::scan(disk).newest {
        let (name, uuid) = (superblock.name.to_string(), superblock.set.to_string());
        return Ok(Some(Finding::Set { name, uuid }));
    }
    let sectors = disk.facts().sectors;
    let head = read_up_to(disk, 0, HEAD_BYTES)?;
    if let Some(name) = old_dm_remap(&head) {
        return Ok(Some(Finding::Signature(name)));
    }
    let known =
        MARKS.iter().find(|mark| head.get(mark.at..).is_some_and(|from| from.starts_with(mark.magic)));
    if let Some(mark) = known {
        return Ok(Some(Finding::Signature(mark.name)));
    }
    if has_zfs_label(&head) {
        return Ok(Some(Finding::Signature("a member of a ZFS pool")));
    }
    let tail_start = sectors.saturating_sub(TAIL_BLANK_SECTORS) / 8 * 8;
    let tail = read_up_to(disk, tail_start, (sectors - tail_start) as usize * SECTOR_BYTES)?;
    Ok(find_in_tail(&tail, tail_start, sectors).map(Finding::Signature))
}

/// The headers of dm-remap before this program: "DMR4" as a little-endian number, at the sectors of their
/// copies. Version 4.2 writes the size of its structure, 512, at byte 32.
fn old_dm_remap(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize| head.get(offset..offset + 4).and_then(|bytes| bytes.first_chunk()).copied();
    for sector in [0, 256, 512, 768] {
        let offset = sector * SECTOR_BYTES;
        if at(offset).map(u32::from_le_bytes) == Some(0x444d_5234) && at(offset + 4) == Some([4, 0, 0, 0]) {
            let is_v42 = at(offset + 32).map(u32::from_le_bytes) == Some(512);
            return Some(if is_v42 { "dm-remap v4.2 metadata" } else { "dm-remap 1.0 metadata" });
        }
    }
    None
}

/// An uberblock in the first label: from 128 KiB on, 1 KiB apart, in either byte order.
fn has_zfs_label(head: &[u8]) -> bool {
    let magic = 0x00ba_b10c_u64;
    let ring = head.get(128 * 1024..256 * 1024).unwrap_or_default();
    ring.chunks(1024)
        .any(|block| block.starts_with(&magic.to_le_bytes()) || block.starts_with(&magic.to_be_bytes()))
}

fn find_in_tail(tail: &[u8], tail_start: u64, sectors: u64) -> Option<&'static str> {
    let at = |sector: u64| {
        let offset = sector.checked_sub(tail_start)? as usize * SECTOR_BYTES;
        tail.get(offset..)
    };
    let starts =
        |sector: Option<u64>, magic: &[u8]| sector.and_then(at).is_some_and(|bytes| bytes.starts_with(magic));
    let md = b"\xfc\x4e\x2b\xa9";
    // Version 0.90: in the last full 64 KiB; version 1.0: 8 KiB before the end, rounded down to 4 KiB.
    let old_md = (sectors & !127).checked_sub(128);
    let new_md = sectors.checked_sub(16).map(|sector| sector & !7);
    if starts(old_md, md) || starts(new_md, md) {
        return Some("a member of an MD RAID array");
    }
    if starts(sectors.checked_sub(1), b"EFI PART") || starts(sectors.checked_sub(8), b"EFI PART") {
        return Some("a GPT partition table (its second copy)");
    }
    None
}

/// The first sector of `ranges` that is not zero.
pub(super) fn find_data(
    disk: &dyn Disk,
    ranges: &[SectorRange],
) -> Result<Option<Finding>, (u64, DiskError)> {
    const STEP: u64 = 2048;
    for range in ranges {
        let mut at = range.start.0;
        while at < range.end().0 {
            let sectors = STEP.min(range.end().0 - at);
            let bytes = read_up_to(disk, at, sectors as usize * SECTOR_BYTES)?;
            if let Some(first) = bytes.iter().position(|&byte| byte != 0) {
                return Ok(Some(Finding::Data { sector: at + (first / SECTOR_BYTES) as u64 }));
            }
            at += sectors;
        }
    }
    Ok(None)
}

/// At most `bytes` bytes from sector `start` on, in whole logical blocks of the disk.
fn read_up_to(disk: &dyn Disk, start: u64, bytes: usize) -> Result<AlignedBuffer, (u64, DiskError)> {
    let block = u64::from(disk.facts().logical_block_bytes) / SECTOR_BYTES as u64;
    let end = (start + (bytes / SECTOR_BYTES) as u64).min(disk.facts().sectors).next_multiple_of(block);
    let sectors = end.min(disk.facts().sectors).saturating_sub(start);
    let mut buffer = AlignedBuffer::zeroed(sectors as usize * SECTOR_BYTES);
    disk.read(Sector(start), &mut buffer).map_err(|error| (start, error))?;
    Ok(buffer)
}

#[cfg(test)]
mod tests;
