//! Disks in memory by the driver `brd`: no cache, no discard, no failures.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::guest;

/// The RAM disks of a scenario. There can be one such set at a time, since the driver makes all of one size.
#[derive(Debug)]
pub struct RamDisks {
    paths: Vec<PathBuf>,
}

impl RamDisks {
    /// `count` empty disks of `mebibytes` MiB each, which take memory only where they are written.
    pub fn new(count: usize, mebibytes: u64) -> Result<Self> {
        ensure!(!Path::new("/sys/module/brd").exists(), "there are RAM disks already");
        guest::load("brd", &[format!("rd_nr={count}"), format!("rd_size={}", mebibytes * 1024)])?;
        Ok(Self { paths: (0..count).map(|index| PathBuf::from(format!("/dev/ram{index}"))).collect() })
    }

    /// One of them, counted from 0.
    pub fn path(&self, index: usize) -> &Path {
        &self.paths[index]
    }
}

impl Drop for RamDisks {
    fn drop(&mut self) {
        // The memory comes back with it.
        if let Err(error) = guest::unload("brd") {
            println!("RAM disks stay behind: {error:#}");
        }
    }
}
