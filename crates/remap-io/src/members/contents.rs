//! What a main device holds that tells it from others: UUIDs of filesystems, of members of volume groups and
//! arrays, of encrypted containers, and of partition tables.
//!
//! Only whether two UUIDs are the same matters here, so a format that is not known costs protection and
//! nothing else. Where several devices make one volume, it is the device's own UUID that is taken.

use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector};

use crate::disk::AlignedBuffer;

/// What is read at a time, in bytes: no structure below crosses such a border.
const UNIT_BYTES: u64 = 4096;

/// How a format writes its UUID.
#[derive(Clone, Copy)]
enum Id {
    /// 16 bytes in the order of the text.
    Uuid,
    /// 16 bytes, the first three fields little endian.
    Guid,
    /// Text that a zero ends, at most 40 bytes.
    Text,
    /// 32 letters and digits, shown in the groups of LVM.
    Lvm,
    /// A little-endian number of 64 bits.
    Serial64,
    /// A little-endian number of 32 bits, shown in two halves.
    Serial32,
    /// The same, shown in one piece.
    Signature,
    /// Four numbers of 32 bits: the first, and three 28 bytes behind its end.
    Quarters,
}

#[derive(Clone, Copy)]
struct Format {
    /// Bytes from the start.
    magic_at: u64,
    magic: &'static [u8],
    /// Bytes from the start.
    id_at: u64,
    id: Id,
}

const fn format(magic_at: u64, magic: &'static [u8], id_at: u64, id: Id) -> Format {
    Format { magic_at, magic, id_at, id }
}

const MD: &[u8] = b"\xfc\x4e\x2b\xa9";
const BTRFS: u64 = 0x1_0000;

/// Order matters: what says most comes first, what many formats share comes last.
const FORMATS: &[Format] = &[
    // LUKS, and the second header of its version 2.
    format(0, b"LUKS\xba\xbe", 168, Id::Text),
    format(16384, b"SKUL\xba\xbe", 16384 + 168, Id::Text),
    // LVM physical volumes, in any of the first four sectors.
    format(0, b"LABELONE", 32, Id::Lvm),
    format(512, b"LABELONE", 512 + 32, Id::Lvm),
    format(1024, b"LABELONE", 1024 + 32, Id::Lvm),
    format(1536, b"LABELONE", 1536 + 32, Id::Lvm),
    // MD arrays, versions 1.1 and 1.2.
    format(0, MD, 168, Id::Uuid),
    format(4096, MD, 4096 + 168, Id::Uuid),
    format(BTRFS + 0x40, b"_BHRfS_M", BTRFS + 0x10b, Id::Uuid),
    // XFS.
    format(0, b"XFSB", 32, Id::Uuid),
    // ext2, ext3 and ext4.
    format(1080, b"\x53\xef", 1024 + 104, Id::Uuid),
    // F2FS.
    format(1024, b"\x10\x20\xf5\xf2", 1024 + 108, Id::Uuid),
    // Swap with pages of 4 KiB.
    format(4086, b"SWAPSPACE2", 1036, Id::Uuid),
    // NTFS, exFAT, FAT12 and FAT16, FAT32.
    format(3, b"NTFS    ", 72, Id::Serial64),
    format(3, b"EXFAT   ", 100, Id::Serial32),
    format(54, b"FAT12   ", 39, Id::Serial32),
    format(54, b"FAT16   ", 39, Id::Serial32),
    format(82, b"FAT32   ", 67, Id::Serial32),
    // GPT on blocks of 512 and of 4096 bytes.
    format(512, b"EFI PART", 512 + 56, Id::Guid),
    format(4096, b"EFI PART", 4096 + 56, Id::Guid),
    // A partition table of the old kind.
    format(510, b"\x55\xaa", 440, Id::Signature),
];

/// Where MD versions 0.90 and 1.0 are on a device of `sectors` sectors: in the last whole 64 KiB, and 8 KiB
/// before the end, rounded down to 4 KiB.
fn tail_formats(sectors: u64) -> impl Iterator<Item = Format> {
    let old = (sectors & !127).checked_sub(128).map(|sector| (sector, 20, Id::Quarters));
    let new = sectors.checked_sub(16).map(|sector| (sector & !7, 168, Id::Uuid));
    [new, old].into_iter().flatten().map(|(sector, offset, id)| {
        let at = sector * SECTOR_BYTES as u64;
        format(at, MD, at + offset, id)
    })
}

/// What was found on a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// UUIDs as `blkid` shows them, the one that says most first.
    ids: Vec<String>,
    /// Whether every place that was looked at could be read.
    is_complete: bool,
}

impl Contents {
    /// Looks at a device of `sectors` sectors whose logical blocks have `logical_bytes` bytes.
    pub fn look(
        sectors: u64,
        logical_bytes: u32,
        read: impl FnMut(Sector, &mut [u8]) -> Result<(), DiskError>,
    ) -> Self {
        let unit_bytes = UNIT_BYTES.max(u64::from(logical_bytes));
        let mut view = View { sectors, unit_bytes, read, units: Vec::new(), is_complete: true };
        let mut ids = Vec::new();
        for format in FORMATS.iter().copied().chain(tail_formats(sectors)) {
            if view.bytes(format.magic_at, format.magic.len()).is_some_and(|found| found == format.magic)
                && let Some(id) = format.id_in(&mut view)
                && !ids.contains(&id)
            {
                ids.push(id);
            }
        }
        Self { ids, is_complete: view.is_complete }
    }

    /// The UUID that tells the device from others; empty when there is none.
    pub fn id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// What is said against this being the device that held `id` when it was last looked at; nothing when
    /// `id` is empty.
    pub fn difference(&self, id: &str) -> Option<ContentsDiffer> {
        if id.is_empty() || self.ids.iter().any(|own| own == id) {
            return None;
        }
        let found = match self.ids.as_slice() {
            [] if self.is_complete => "it holds none that is known".into(),
            [] => "the places where one would be cannot all be read".into(),
            ids => format!("it holds {}", ids.join(" and ")),
        };
        let text = format!("what it held last has the UUID {id}, and {found}");
        Some(ContentsDiffer { text, is_certain: self.is_complete })
    }
}

/// Why a device is not, or may not be, the one that was looked at before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentsDiffer {
    /// A part of a sentence about the device.
    pub text: String,
    /// Whether all that there is has been seen.
    pub is_certain: bool,
}

impl Format {
    /// The UUID; `None` where it cannot be read, or none was given.
    fn id_in(
        self,
        view: &mut View<impl FnMut(Sector, &mut [u8]) -> Result<(), DiskError>>,
    ) -> Option<String> {
        let length = match self.id {
            Id::Uuid | Id::Guid => 16,
            Id::Text => 40,
            Id::Lvm => 32,
            Id::Serial64 => 8,
            Id::Serial32 | Id::Signature => 4,
            Id::Quarters => 44,
        };
        let bytes = view.bytes(self.id_at, length)?;
        self.id.show(bytes)
    }
}

impl Id {
    fn show(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Uuid => shown(uuid::Uuid::from_bytes(*bytes.first_chunk()?)),
            Self::Guid => shown(uuid::Uuid::from_bytes_le(*bytes.first_chunk()?)),
            Self::Quarters => {
                let mut joined = [0; 16];
                joined[..4].copy_from_slice(bytes.get(..4)?);
                joined[4..].copy_from_slice(bytes.get(32..44)?);
                shown(uuid::Uuid::from_bytes(joined))
            }
            Self::Text => {
                let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
                printable(&bytes[..length])
            }
            Self::Lvm => {
                let text = printable(bytes)?;
                let groups = [0..6, 6..10, 10..14, 14..18, 18..22, 22..26, 26..32];
                let groups: Option<Vec<&str>> = groups.into_iter().map(|group| text.get(group)).collect();
                Some(groups?.join("-"))
            }
            Self::Serial64 => {
                let number = u64::from_le_bytes(*bytes.first_chunk()?);
                (number != 0).then(|| format!("{number:016X}"))
            }
            Self::Serial32 => {
                let number = u32::from_le_bytes(*bytes.first_chunk()?);
                (number != 0).then(|| format!("{:04X}-{:04X}", number >> 16, number & 0xffff))
            }
            Self::Signature => {
                let number = u32::from_le_bytes(*bytes.first_chunk()?);
                (number != 0).then(|| format!("{number:08x}"))
            }
        }
    }
}

fn shown(uuid: uuid::Uuid) -> Option<String> {
    (!uuid.is_nil()).then(|| uuid.to_string())
}

fn printable(bytes: &[u8]) -> Option<String> {
    let is_text = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic);
    is_text.then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// A device, of which each place is read once.
struct View<R> {
    sectors: u64,
    unit_bytes: u64,
    read: R,
    /// By start; nothing where it cannot be read.
    units: Vec<(u64, Option<AlignedBuffer>)>,
    is_complete: bool,
}

impl<R: FnMut(Sector, &mut [u8]) -> Result<(), DiskError>> View<R> {
    /// `length` bytes from byte `at` on; `None` where they lie behind the end or cannot be read.
    fn bytes(&mut self, at: u64, length: usize) -> Option<&[u8]> {
        let start = at / self.unit_bytes * self.unit_bytes;
        let known = self.units.iter().position(|(known, _)| *known == start);
        let index = known.unwrap_or_else(|| {
            let unit = self.unit(start);
            self.units.push((start, unit));
            self.units.len() - 1
        });
        let unit = self.units[index].1.as_deref()?;
        unit.get((at - start) as usize..)?.get(..length)
    }

    fn unit(&mut self, start: u64) -> Option<AlignedBuffer> {
        let end = (start + self.unit_bytes).min(self.sectors * SECTOR_BYTES as u64);
        let length = end.checked_sub(start).filter(|length| *length != 0)?;
        let mut unit = AlignedBuffer::zeroed(length as usize);
        let read = (self.read)(Sector(start / SECTOR_BYTES as u64), &mut unit);
        self.is_complete &= read.is_ok();
        read.ok().map(|()| unit)
    }
}

#[cfg(test)]
mod tests;
