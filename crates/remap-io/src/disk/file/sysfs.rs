//! What the kernel's device tree in `/sys` tells of a block device, and of partitions what udev noted.
//!
//! Everything here is best effort: what is not there, or not readable, is not told.

use std::path::{Path, PathBuf};

use rustix::fs::{Dev, major, minor};

/// Serial number, world-wide name, UUID of the partition and kind of medium.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DeviceFacts {
    pub(super) serial: Option<String>,
    pub(super) wwn: Option<String>,
    pub(super) partition_uuid: Option<String>,
    pub(super) rotational: Option<bool>,
}

/// The directory of a block device.
pub(super) fn directory(device: Dev) -> PathBuf {
    PathBuf::from(format!("/sys/dev/block/{}:{}", major(device), minor(device)))
}

/// Where udev keeps what it knows of a block device.
pub(super) fn udev_record(device: Dev) -> PathBuf {
    PathBuf::from(format!("/run/udev/data/b{}:{}", major(device), minor(device)))
}

/// The facts of the disk whose directory this is; of the whole disk, for a partition, but for the partition's
/// own UUID.
pub(super) fn device_facts(directory: &Path, udev_record: &Path) -> DeviceFacts {
    let is_partition = directory.join("partition").exists();
    let disk = if is_partition { directory.join("..") } else { directory.to_owned() };
    let first = |names: &[&str]| names.iter().find_map(|name| line(&disk.join(name)));
    DeviceFacts {
        serial: first(&["serial", "device/serial"]).or_else(|| page_80(&disk.join("device/vpd_pg80"))),
        wwn: first(&["wwid", "device/wwid"]),
        partition_uuid: is_partition.then(|| partition_uuid(directory, udev_record)).flatten(),
        rotational: line(&disk.join("queue/rotational")).map(|value| value != "0"),
    }
}

/// As the kernel tells it (6.10 and later, where it read the partition table itself), or else udev. Both write
/// it in one way: small letters, and for tables of the old kind the disk's signature and a number.
fn partition_uuid(directory: &Path, udev_record: &Path) -> Option<String> {
    let of_kernel = || value(&directory.join("uevent"), "PARTUUID=");
    let uuid = of_kernel().or_else(|| value(udev_record, "E:ID_PART_ENTRY_UUID="))?;
    // A disk that was never given a signature has zeros, as many others have.
    (!uuid.starts_with("00000000-")).then_some(uuid)
}

/// The rest of the first line that starts with `key`.
fn value(path: &Path, key: &str) -> Option<String> {
    let text = std::fs::read(path).ok()?;
    let rest = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key.as_bytes()))?;
    printable(rest)
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
