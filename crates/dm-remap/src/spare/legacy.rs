//! Metadata that the C program of the same name wrote: recognised, shown, never changed.
//!
//! Two kinds with one magic number. Version 4.2, as documented there: 512 bytes, five copies. The module's
//! version 1.0 writes one structure of 84288 bytes instead, in five copies 256 sectors apart.

use remap_core::Sector;
use remap_core::units::SECTOR_BYTES;
use remap_io::disk::{AlignedBuffer, Disk};
use serde::Serialize;

const MAGIC: u32 = 0x444d_5234;
const FORMAT: u32 = 4;
const COPIES_OF_4_2: [u64; 5] = [0, 1024, 2048, 4096, 8192];
const COPIES_OF_1_0: [u64; 5] = [0, 256, 512, 768, 1024];

/// Read at once, for disks with blocks of 4096 bytes.
const READ_BYTES: usize = 4096;

/// An old header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Legacy {
    /// `4.2` or `1.0`.
    pub version: &'static str,
    /// Copies that begin as they should.
    pub copies_found: usize,
    /// Of the newest copy of version 4.2; empty for 1.0, which tells neither.
    pub main_path: String,
    pub spare_path: String,
    pub main_sectors: u64,
    pub spare_sectors: u64,
}

/// Looks for an old header.
pub fn find(disk: &dyn Disk) -> Option<Legacy> {
    let mut data = AlignedBuffer::zeroed(READ_BYTES);
    let mut newest: Option<(u64, Legacy)> = None;
    let mut copies_found = 0;
    for start in COPIES_OF_4_2 {
        if disk.read(Sector(start), &mut data).is_err() || !begins(&data) || u32_at(&data, 32) != 512 {
            continue;
        }
        copies_found += 1;
        let sequence = u64_at(&data, 8);
        if newest.as_ref().is_none_or(|(known, _)| *known < sequence) {
            newest = Some((sequence, of_4_2(&data)));
        }
    }
    if let Some((_, found)) = newest {
        return Some(Legacy { copies_found, ..found });
    }
    let is_copy = |start: &u64| {
        let mut data = AlignedBuffer::zeroed(READ_BYTES);
        disk.read(Sector(*start), &mut data).is_ok() && begins(&data)
    };
    let copies_found = COPIES_OF_1_0.iter().filter(|start| is_copy(start)).count();
    (copies_found > 0).then(|| Legacy {
        version: "1.0",
        copies_found,
        main_path: String::new(),
        spare_path: String::new(),
        main_sectors: 0,
        spare_sectors: 0,
    })
}

fn begins(data: &[u8]) -> bool {
    u32_at(data, 0) == MAGIC && u32_at(data, 4) == FORMAT
}

fn of_4_2(data: &[u8]) -> Legacy {
    Legacy {
        version: "4.2",
        copies_found: 0,
        main_path: text_at(data, 144, 128),
        spare_path: text_at(data, 272, 128),
        main_sectors: u64_at(data, 114),
        spare_sectors: u64_at(data, 122),
    }
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    data.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(data: &[u8], at: usize) -> u64 {
    data.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// A text that ends with a zero; what could upset a terminal is left out.
fn text_at(data: &[u8], at: usize, len: usize) -> String {
    let field = data.get(at..at + len).unwrap_or_default();
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect()
}

const _: () = assert!(READ_BYTES.is_multiple_of(SECTOR_BYTES));

#[cfg(test)]
mod tests;
