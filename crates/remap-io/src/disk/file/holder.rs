//! Who holds a file or a device that could not be had.
//!
//! Reads what the kernel publishes in `/proc` and `/sys`, for the text of an error only: what it cannot
//! find out it leaves out.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use rustix::fs::{Dev, Stat, major, minor};

/// The process that locks the file with this device and inode number, as ` by NAME (process ID)`, or nothing.
pub(super) fn of_lock(device: Dev, inode: u64) -> String {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let Some(process) = locking_process(&locks, major(device), minor(device), inode) else {
        return String::new();
    };
    match fs::read_to_string(format!("/proc/{process}/comm")) {
        Ok(name) => format!(" by {} (process {process})", name.trim_end().escape_debug()),
        Err(_) => format!(" by process {process}"),
    }
}

/// The process in `/proc/locks` (`N: FLOCK ADVISORY WRITE PID MAJ:MIN:INODE START END`, the device in
/// hexadecimal digits) that locks this file.
fn locking_process(locks: &str, major: u32, minor: u32, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (kind, _, _) = (fields.next()?, fields.next()?, fields.next()?);
        let process = fields.next()?.parse().ok()?;
        let mut file = fields.next()?.split(':');
        let here = u32::from_str_radix(file.next()?, 16).ok()? == major
            && u32::from_str_radix(file.next()?, 16).ok()? == minor
            && file.next()?.parse::<u64>().ok()? == inode;
        (kind == "FLOCK" && here).then_some(process)
    })
}

/// The loop device that is made of a file, such as a set that the kernel runs has: it asks nobody for a lock.
pub(super) fn loop_device_of(file: &Stat) -> Option<String> {
    loop_device_in(Path::new("/sys/block"), file)
}

fn loop_device_in(devices: &Path, file: &Stat) -> Option<String> {
    names(devices).into_iter().filter(|name| name.starts_with("loop")).find_map(|name| {
        let backing = fs::read_to_string(devices.join(&name).join("loop/backing_file")).ok()?;
        let found = rustix::fs::stat(backing.trim_end_matches('\n')).ok()?;
        (found.st_dev == file.st_dev && found.st_ino == file.st_ino).then(|| format!("/dev/{name}"))
    })
}

/// What has claimed a block device, as ` by …`, or nothing: devices stacked on it or on its partitions, and
/// places where they are mounted.
pub(super) fn of_device(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let found = claims(directory, &mounts);
    if found.is_empty() { String::new() } else { format!(" by {}", found.join(", ")) }
}

fn claims(directory: &Path, mounts: &str) -> Vec<String> {
    let mut devices = vec![directory.to_owned()];
    devices.extend(
        names(directory)
            .into_iter()
            .map(|name| directory.join(name))
            .filter(|path| path.join("partition").exists()),
    );
    let mut found = Vec::new();
    for device in devices {
        for holder in names(&device.join("holders")) {
            let mapped = fs::read_to_string(device.join("holders").join(&holder).join("dm/name"));
            found.push(
                mapped.map_or(holder, |name| format!("the mapped device {}", name.trim_end().escape_debug())),
            );
        }
        let number = fs::read_to_string(device.join("dev")).unwrap_or_default();
        found.extend(mount_points(mounts, number.trim_end()).map(|place| format!("a mount on {place}")));
    }
    found
}

/// The mount points of a device in `/proc/self/mountinfo`, whose third field is the device number and
/// whose fifth is the place.
fn mount_points<'a>(mounts: &'a str, device: &'a str) -> impl Iterator<Item = &'a str> {
    mounts.lines().filter_map(move |line| {
        let mut fields = line.split(' ').skip(2);
        if fields.next()? == device { fields.nth(1) } else { None }
    })
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|entry| OsStr::to_str(&entry.file_name()).map(str::to_owned)).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests;
