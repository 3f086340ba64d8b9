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
fn in_sysfs(device: &Path) -> Result<PathBuf> {
    let node = fs::canonicalize(device).with_context(|| format!("no device {}", device.display()))?;
    let name = node.file_name().with_context(|| format!("{} is no device", device.display()))?;
    Ok(Path::new("/sys/class/block").join(name))
}

fn number_in(file: &Path) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    text.trim().parse().with_context(|| format!("{} holds {text:?}", file.display()))
}

/// Writes a setting of the kernel.
fn set(file: &Path, value: &str) -> Result<()> {
    fs::write(file, value).with_context(|| format!("writing {value:?} to {}", file.display()))
}
