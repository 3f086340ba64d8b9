//! Disks that are files in memory, by loop devices: they discard and flush, and can have larger blocks.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{guest, program};

/// A loop device and its file, both gone when it goes out of scope.
#[derive(Debug)]
pub struct LoopDisk {
    node: PathBuf,
    file: PathBuf,
}

impl LoopDisk {
    /// A disk of `mebibytes` MiB, zeros, with logical blocks of `block_bytes` bytes (512 to 4096).
    pub fn new(name: &str, mebibytes: u64, block_bytes: u32) -> Result<Self> {
        guest::load("loop", &[])?;
        let file = guest::new_folder(&format!("loop-{name}"))?.join("image");
        File::create(&file)?.set_len(mebibytes << 20)?;
        let size = block_bytes.to_string();
        let words = ["--find", "--show", "--sector-size", &size].map(str::to_owned);
        let node = program::run("losetup", words.into_iter().chain([file.display().to_string()]))?;
        Ok(Self { node: node.into(), file })
    }

    /// Its node.
    pub fn path(&self) -> &Path {
        &self.node
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let detached = program::run("losetup", ["--detach".as_ref(), self.node.as_os_str()]).map(drop);
        if let Err(error) = detached.and_then(|()| Ok(std::fs::remove_file(&self.file)?)) {
            println!("{} stays behind: {error:#}", self.node.display());
        }
    }
}
