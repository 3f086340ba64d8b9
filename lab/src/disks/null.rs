//! Disks in memory by the driver `null_blk`, with bad sectors that the driver itself makes fail.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::set;
use crate::{guest, program};

/// Where the driver is configured.
const CONFIG: &str = "/sys/kernel/config/nullb";

/// A disk whose bad sectors fail reads and writes, until they are healed.
#[derive(Debug)]
pub struct NullDisk {
    config: PathBuf,
    node: PathBuf,
}

impl NullDisk {
    /// A disk of `mebibytes` MiB that remembers what is written.
    pub fn new(name: &str, mebibytes: u64) -> Result<Self> {
        guest::load("null_blk", &["nr_devices=0".to_owned()])?;
        if !Path::new(CONFIG).is_dir() {
            program::run("mount", ["-t", "configfs", "none", "/sys/kernel/config"])?;
        }
        let config = Path::new(CONFIG).join(name);
        fs::create_dir(&config).with_context(|| format!("cannot make {}", config.display()))?;
        let settings =
            [("size", mebibytes.to_string()), ("memory_backed", "1".into()), ("power", "1".into())];
        for (setting, value) in settings {
            set(&config.join(setting), &value)?;
        }
        let index = super::number_in(&config.join("index"))?;
        let named = Path::new("/dev").join(name);
        // Old kernels name it after its number.
        let node = if named.exists() { named } else { PathBuf::from(format!("/dev/nullb{index}")) };
        Ok(Self { config, node })
    }

    /// Its node.
    pub fn path(&self) -> &Path {
        &self.node
    }

    /// Makes `sectors` fail.
    pub fn break_sectors(&self, sectors: Range<u64>) -> Result<()> {
        set(&self.config.join("badblocks"), &format!("+{}-{}", sectors.start, sectors.end - 1))
    }

    /// Makes `sectors` work again; what they hold is what was written last.
    pub fn heal_sectors(&self, sectors: Range<u64>) -> Result<()> {
        set(&self.config.join("badblocks"), &format!("-{}-{}", sectors.start, sectors.end - 1))
    }
}

impl Drop for NullDisk {
    fn drop(&mut self) {
        let off = set(&self.config.join("power"), "0");
        if let Err(error) = off.and_then(|()| Ok(fs::remove_dir(&self.config)?)) {
            println!("{} stays behind: {error:#}", self.node.display());
        }
    }
}
