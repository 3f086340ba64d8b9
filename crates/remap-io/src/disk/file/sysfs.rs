//! What the kernel's device tree in `/sys` tells of a block device.
//!
//! Everything here is best effort: what is not there, or not readable, is not told.

use std::path::{Path, PathBuf};

use rustix::fs::{Dev, major, minor};

/// Serial number, world-wide name and kind of medium.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DeviceFacts {
    pub(super) serial: Option<String>,
    pub(super) wwn: Option<String>,
    pub(super) rotational: Option<bool>,
}

/// The directory of a block device.
pub(super) fn directory(device: Dev) -> PathBuf {
    PathBuf::from(format!("/sys/dev/block/{}:{}", major(device), minor(device)))
}

/// The facts of the disk whose directory this is; of the whole disk, for a partition.
pub(super) fn device_facts(directory: &Path) -> DeviceFacts {
    let disk = if directory.join("partition").exists() { directory.join("..") } else { directory.to_owned() };
    let first = |names: &[&str]| names.iter().find_map(|name| line(&disk.join(name)));
    DeviceFacts {
        serial: first(&["serial", "device/serial"]).or_else(|| page_80(&disk.join("device/vpd_pg80"))),
        wwn: first(&["wwid", "device/wwid"]),
        rotational: line(&disk.join("queue/rotational")).map(|value| value != "0"),
    }
}

fn line(path: &Path) -> Option<String> {
    printable(&std::fs::read(path).ok()?)
}

/// The unit serial number page of a SCSI disk: four bytes of header, the last two the length of the number
/// behind it, in bytes (SPC-4, 7.8.16).
fn page_80(path: &Path) -> Option<String> {
    let page = std::fs::read(path).ok()?;
    let (&[_, code, high, low], rest) = page.split_first_chunk()?;
    let len = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    if code == 0x80 { printable(&rest[..len]) } else { None }
}

/// Trimmed text; nothing when it is empty or holds what a terminal would act on.
fn printable(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim_matches([' ', '\n', '\0']);
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
