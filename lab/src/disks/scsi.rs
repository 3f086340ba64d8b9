//! A SCSI disk in memory by the driver `scsi_debug`, whose medium errors come with the sense data of real ones.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::set;
use crate::guest;

/// Where the driver is configured.
const DRIVER: &str = "/sys/bus/pseudo/drivers/scsi_debug";
/// Of the driver's `opts`: reads of the bad range fail.
const MEDIUM_ERROR: u32 = 2;

/// The one disk that the driver is loaded for.
#[derive(Debug)]
pub struct ScsiDebug {
    node: PathBuf,
}

impl ScsiDebug {
    /// A disk of `mebibytes` MiB on which reads of `bad` fail with "unrecovered read error". A range, for that is
    /// all that the driver knows; writes always succeed.
    pub fn new(mebibytes: u64, bad: Range<u64>) -> Result<Self> {
        Self::with(mebibytes, bad, &[])
    }

    /// The same with further options of the driver, as `sector_size=4096`; `bad` is in such sectors then.
    pub fn with(mebibytes: u64, bad: Range<u64>, options: &[&str]) -> Result<Self> {
        guest::load("sd_mod", &[])?;
        let mut all = vec![
            format!("dev_size_mb={mebibytes}"),
            format!("medium_error_start={}", bad.start),
            format!("medium_error_count={}", bad.end - bad.start),
            // A count of none would mean all.
            format!("opts={}", if bad.is_empty() { 0 } else { MEDIUM_ERROR }),
            // Answers at once instead of after a millisecond.
            "delay=0".to_owned(),
        ];
        all.extend(options.iter().map(|&option| option.to_owned()));
        guest::load("scsi_debug", &all)?;
        let node = guest::eventually("a disk of scsi_debug", || find().context("there is none"))?;
        Ok(Self { node })
    }

    /// Its node.
    pub fn path(&self) -> &Path {
        &self.node
    }

    /// Whether the bad range fails from now on.
    pub fn set_failing(&self, failing: bool) -> Result<()> {
        set(&Path::new(DRIVER).join("opts"), if failing { "2" } else { "0" })
    }

    /// What the SCSI layer makes of it: `running`, or `offline` as a disk that it has given up.
    pub fn set_state(&self, state: &str) -> Result<()> {
        set(&super::in_sysfs(&self.node)?.join("device/state"), &format!("{state}\n"))
    }
}

impl Drop for ScsiDebug {
    fn drop(&mut self) {
        if let Err(error) = guest::unload("scsi_debug") {
            println!("{} stays behind: {error:#}", self.node.display());
        }
    }
}

/// The node of the disk, once the SCSI layer has found it.
fn find() -> Option<PathBuf> {
    let is_ours = |block: &fs::DirEntry| {
        let model = fs::read_to_string(block.path().join("device/model"));
        model.is_ok_and(|model| model.trim() == "scsi_debug")
    };
    let block = fs::read_dir("/sys/class/block").ok()?.flatten().find(is_ours)?;
    let node = Path::new("/dev").join(block.file_name());
    node.exists().then_some(node)
}
