//! Disks that whoever started the guest gave to it; what is written to them is there in the next boot.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::guest;

/// The node of the disk of this name in the scenario's list.
pub fn kept(name: &str) -> Result<PathBuf> {
    guest::load("virtio_blk", &[])?;
    guest::eventually(&format!("a disk {name}"), || find(name).context("the guest was given none"))
}

fn find(name: &str) -> Option<PathBuf> {
    let is_it = |block: &fs::DirEntry| {
        fs::read_to_string(block.path().join("serial")).is_ok_and(|serial| serial.trim() == name)
    };
    let block = fs::read_dir("/sys/class/block").ok()?.flatten().find(is_it)?;
    let node = Path::new("/dev").join(block.file_name());
    node.exists().then_some(node)
}
