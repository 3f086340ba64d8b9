//! Where a boot's logs and disks lie: a folder of its own below the build folder.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::workspace;

/// All that a boot, or a series of boots of the same disks, leaves.
pub struct Folder {
    path: PathBuf,
}

/// The folder of all boots.
pub fn root() -> PathBuf {
    workspace::target().join("lab")
}

impl Folder {
    /// An empty folder for the boots of the group `name` under the kernel `version`.
    pub fn new(version: &str, name: &str) -> Result<Self> {
        let path = root().join(version).join(name);
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path })
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A disk of the guest: a file of zeros that takes no room until it is written.
    pub fn new_disk(&self, name: &str, mebibytes: u64) -> Result<PathBuf> {
        let path = self.file(&format!("{name}.img"));
        fs::File::create(&path)?.set_len(mebibytes << 20)?;
        Ok(path)
    }

    /// Removes it with all that is in it.
    pub fn remove(self) -> Result<()> {
        Ok(fs::remove_dir_all(self.path)?)
    }
}
