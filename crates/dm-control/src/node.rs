//! Nodes in `/dev/mapper`: udev makes them where it runs; where it does not, or has not, they are made here.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, major, makedev, minor};

use crate::error::Error;
use crate::name::DeviceName;

/// Where nodes are.
const FOLDER: &str = "/dev/mapper";

/// The node of a device of this name.
pub fn path(name: &DeviceName) -> PathBuf {
    Path::new(FOLDER).join(name.as_str())
}

/// Has the node lead to the device.
pub fn make(name: &DeviceName, number: (u32, u32)) -> Result<PathBuf, Error> {
    let node = path(name);
    if number_at(&node) == Some(number) {
        return Ok(node);
    }
    let failed = |source| Error::Node { node: node.display().to_string(), source };
    // One of a device that was there before under this name.
    remove_file(&node).map_err(failed)?;
    let device = makedev(number.0, number.1);
    let made = rustix::fs::mknodat(CWD, &node, FileType::BlockDevice, Mode::RUSR | Mode::WUSR, device);
    made.map_err(|errno| failed(errno.into()))?;
    Ok(node)
}

/// Has no node of this name.
pub fn remove(name: &DeviceName) -> Result<(), Error> {
    let node = path(name);
    remove_file(&node).map_err(|source| Error::Node { node: node.display().to_string(), source })
}

/// Which block device a path leads to.
pub fn number_at(path: &Path) -> Option<(u32, u32)> {
    let facts = fs::metadata(path).ok()?;
    facts.file_type().is_block_device().then(|| (major(facts.rdev()), minor(facts.rdev())))
}

fn remove_file(node: &Path) -> io::Result<()> {
    match fs::remove_file(node) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
