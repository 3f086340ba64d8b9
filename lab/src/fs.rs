//! File systems on a device: made, mounted until they go out of scope, and checked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{guest, program};

/// A kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ext4.
    Ext4,
    /// XFS; its devices must have 300 MiB.
    Xfs,
    /// Btrfs; its devices must have 110 MiB.
    Btrfs,
}

/// A mounted file system.
#[derive(Debug)]
pub struct Mounted {
    folder: PathBuf,
    is_mounted: bool,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// As `mount` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// Makes one on `device`, whatever is there. Nothing is discarded, so that it can be seen what was written.
    pub fn make(self, device: &Path) -> Result<()> {
        let words: &[&str] = match self {
            // Small disks would get smaller blocks than those that people have.
            Self::Ext4 => &["mkfs.ext4", "-F", "-b", "4096", "-E", "nodiscard"],
            Self::Xfs => &["mkfs.xfs", "-f", "-K"],
            Self::Btrfs => &["mkfs.btrfs", "-f", "-K"],
        };
        let device = device.display().to_string();
        program::run(words[0], words[1..].iter().copied().chain(["-q", &device])).map(drop)
    }

    /// Mounts the one on `device` at a folder named `name`.
    pub fn mount(self, device: &Path, name: &str) -> Result<Mounted> {
        guest::load(self.name(), &[])?;
        let folder = guest::new_folder(&format!("mount-{name}"))?;
        program::run("mount", ["-t".as_ref(), self.name().as_ref(), device.as_os_str(), folder.as_os_str()])?;
        Ok(Mounted { folder, is_mounted: true })
    }

    /// Checks the one on `device`, which is not mounted, without changing it; an error if it is not sound.
    pub fn check(self, device: &Path) -> Result<()> {
        let words: &[&str] = match self {
            Self::Ext4 => &["e2fsck", "-f", "-n"],
            Self::Xfs => &["xfs_repair", "-n"],
            Self::Btrfs => &["btrfs", "check", "--readonly"],
        };
        let device = device.display().to_string();
        program::run(words[0], words[1..].iter().copied().chain([&*device])).map(drop)
    }
}

impl Mounted {
    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Unmounts it, and tells if that fails.
    pub fn unmount(mut self) -> Result<()> {
        self.is_mounted = false;
        unmount(&self.folder)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if !self.is_mounted {
            return;
        }
        if let Err(error) = unmount(&self.folder) {
            println!("{} stays mounted: {error:#}", self.folder.display());
        }
    }
}

fn unmount(folder: &Path) -> Result<()> {
    program::run("umount", [folder])?;
    Ok(fs::remove_dir(folder)?)
}
