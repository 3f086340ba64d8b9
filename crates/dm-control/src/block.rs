//! What is known of a block device: its names, size and limits, what lies on it, and who uses it.
//!
//! It reads what the kernel publishes in `/sys` and `/proc` and what udev noted in its database. What is not there
//! is not told; nothing here opens a device.

use std::fs;
use std::path::{Path, PathBuf};

use crate::node;

/// Where things are read.
#[derive(Clone, Debug)]
struct Places {
    sys: PathBuf,
    udev: PathBuf,
    mounts: PathBuf,
    swaps: PathBuf,
}

/// A block device of this machine.
#[derive(Clone, Debug)]
pub struct BlockDevice {
    number: (u32, u32),
    places: Places,
}

/// What udev found on a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The kind: `ext4`, `LVM2_member` and the like.
    pub kind: Option<String>,
    /// Its UUID.
    pub uuid: Option<String>,
    /// Its label.
    pub label: Option<String>,
}

impl BlockDevice {
    /// The device that a path leads to; `None` when that is no block device.
    pub fn at(path: &Path) -> Option<Self> {
        node::number_at(path).map(Self::of_number)
    }

    /// The device of a major and a minor number.
    pub fn of_number(number: (u32, u32)) -> Self {
        let places = Places {
            sys: "/sys".into(),
            udev: "/run/udev/data".into(),
            mounts: "/proc/self/mountinfo".into(),
            swaps: "/proc/swaps".into(),
        };
        Self { number, places }
    }

    /// The device that a table names as `MAJOR:MINOR`.
    pub fn named(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once(':')?;
        Some(Self::of_number((major.parse().ok()?, minor.parse().ok()?)))
    }

    /// Major and minor number.
    pub fn number(&self) -> (u32, u32) {
        self.number
    }

    /// Its node: that of its name in `/dev/mapper` for a mapped device. `None` when there is no such device.
    pub fn node(&self) -> Option<PathBuf> {
        if let Some(name) = self.mapped_name() {
            return Some(Path::new("/dev/mapper").join(name));
        }
        let uevent = fs::read_to_string(self.folder().join("uevent")).ok()?;
        let name = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="))?;
        Some(Path::new("/dev").join(name))
    }

    /// The name of a mapped device, as the kernel has it.
    pub fn mapped_name(&self) -> Option<String> {
        line(&self.folder().join("dm/name"))
    }

    /// The UUID of a mapped device.
    pub fn mapped_uuid(&self) -> Option<String> {
        line(&self.folder().join("dm/uuid"))
    }

    /// The file of a loop device.
    pub fn loop_file(&self) -> Option<PathBuf> {
        line(&self.folder().join("loop/backing_file")).map(PathBuf::from)
    }

    /// Size in sectors of 512 bytes.
    pub fn sectors(&self) -> Option<u64> {
        line(&self.folder().join("size"))?.parse().ok()
    }

    /// Logical block in bytes.
    pub fn logical_block_bytes(&self) -> Option<u32> {
        self.queue("logical_block_size")
    }

    /// Physical block in bytes.
    pub fn physical_block_bytes(&self) -> Option<u32> {
        self.queue("physical_block_size")
    }

    /// Requests under way now.
    pub fn in_flight(&self) -> Option<u64> {
        // Reads, then writes.
        line(&self.folder().join("inflight"))?
            .split_ascii_whitespace()
            .map(|count| count.parse::<u64>().ok())
            .sum()
    }

    /// What udev found on it; nothing of it where udev has not looked.
    pub fn contents(&self) -> Contents {
        let path = self.places.udev.join(format!("b{}:{}", self.number.0, self.number.1));
        let database = fs::read_to_string(path).unwrap_or_default();
        let property = |name: &str| {
            let start = format!("E:{name}=");
            let value = database.lines().find_map(|line| line.strip_prefix(&*start))?;
            (!value.is_empty() && !value.chars().any(char::is_control)).then(|| value.to_owned())
        };
        Contents {
            kind: property("ID_FS_TYPE"),
            uuid: property("ID_FS_UUID"),
            label: property("ID_FS_LABEL"),
        }
    }

    /// Who uses it or a partition of it, in words: devices stacked on it, places where it is mounted, swap. Programs
    /// that have opened it are not told.
    pub fn users(&self) -> Vec<String> {
        let mut users = Vec::new();
        for holder in entries(&self.folder().join("holders")) {
            let mapped = line(&holder.join("dm/name"));
            let name = mapped.or_else(|| Some(holder.file_name()?.to_string_lossy().into_owned()));
            users.extend(name.map(|name| format!("the device {name}")));
        }
        users.sort_unstable();
        let mounts = fs::read_to_string(&self.places.mounts).unwrap_or_default();
        let number = format!("{}:{}", self.number.0, self.number.1);
        users.extend(mount_points(&mounts, &number).map(|place| format!("a mount on {place}")));
        let swaps = fs::read_to_string(&self.places.swaps).unwrap_or_default();
        // The first line is a heading.
        let is_swap = |line: &str| {
            let path = line.split_ascii_whitespace().next().unwrap_or_default();
            node::number_at(Path::new(path)) == Some(self.number)
        };
        if swaps.lines().skip(1).any(is_swap) {
            users.push("swap".to_owned());
        }
        users.extend(self.partitions().iter().flat_map(Self::users));
        users
    }

    fn partitions(&self) -> Vec<Self> {
        let folders = entries(&self.folder()).filter(|folder| folder.join("partition").exists());
        let number = |folder: PathBuf| {
            let (major, minor) =
                line(&folder.join("dev"))?.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        };
        let partition = |number| Self { number, places: self.places.clone() };
        folders.filter_map(number).map(partition).collect()
    }

    /// What limits its requests; of a partition, what limits those of its disk.
    fn queue(&self, name: &str) -> Option<u32> {
        let folder = self.folder();
        let of = |folder: PathBuf| line(&folder.join("queue").join(name));
        of(folder.clone()).or_else(|| of(folder.join("..")))?.parse().ok()
    }

    fn folder(&self) -> PathBuf {
        self.places.sys.join(format!("dev/block/{}:{}", self.number.0, self.number.1))
    }
}

/// What is in a folder; nothing where there is none.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// The mapped devices that the kernel tells everybody of, root or not: name and UUID as it has them.
pub fn mapped_devices() -> Vec<(String, String)> {
    let names = entries(Path::new("/sys/block")).filter_map(|device| {
        let folder = device.join("dm");
        Some((line(&folder.join("name"))?, line(&folder.join("uuid")).unwrap_or_default()))
    });
    names.collect()
}

/// The mount points of a device in `mountinfo`, whose third field is the device's number and whose fifth is the
/// place.
fn mount_points<'a>(mounts: &'a str, device: &'a str) -> impl Iterator<Item = &'a str> {
    mounts.lines().filter_map(move |line| {
        let mut fields = line.split(' ').skip(2);
        if fields.next()? == device { fields.nth(1) } else { None }
    })
}

/// The text of a file without its end of line; `None` when there is none, or it has what a terminal would act on.
fn line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim_end_matches('\n');
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
