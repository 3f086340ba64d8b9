//! Disks to test with: in memory, failing on purpose, or kept from boot to boot.

mod bad;
mod kept;
mod looped;
mod null;
mod ram;
mod scsi;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use bad::BadDisk;
pub use kept::kept;
pub use looped::LoopDisk;
pub use null::NullDisk;
pub use ram::RamDisks;
pub use scsi::ScsiDebug;

/// Sectors of 512 bytes in a MiB.
pub const SECTORS_PER_MIB: u64 = 2048;

/// The size of a block device, in sectors of 512 bytes.
pub fn sectors_of(device: &Path) -> Result<u64> {
    number_in(&in_sysfs(device)?.join("size"))
}

/// The folder that tells of a block device.
pub fn in_sysfs(device: &Path) -> Result<PathBuf> {
    // By its number: without udev, the node of a mapped device has not the kernel's name.
    let number = rustix::fs::stat(device).with_context(|| format!("no device {}", device.display()))?.st_rdev;
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    Ok(PathBuf::from(format!("/sys/dev/block/{major}:{minor}")))
}

fn number_in(file: &Path) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    text.trim().parse().with_context(|| format!("{} holds {text:?}", file.display()))
}

/// Writes a setting of the kernel.
fn set(file: &Path, value: &str) -> Result<()> {
    fs::write(file, value).with_context(|| format!("writing {value:?} to {}", file.display()))
}
