//! Memory that the kernel has lost, where it is one that looks for that (kmemleak).

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

const REPORT: &str = "/sys/kernel/debug/kmemleak";

/// Whether this kernel looks for lost memory.
pub fn are_watched() -> bool {
    Path::new(REPORT).exists()
}

/// Takes as known what was lost before.
pub fn forget() -> Result<()> {
    scan()?;
    fs::write(REPORT, "clear").context("clearing kmemleak")
}

/// What was lost since: the kernel's report of each, nothing if there is none.
pub fn found() -> Result<String> {
    scan()?;
    // What is younger than five seconds is not reported, and a pointer on its way may be missed once.
    thread::sleep(Duration::from_secs(6));
    scan()?;
    fs::read_to_string(REPORT).context("reading kmemleak's report")
}

fn scan() -> Result<()> {
    fs::write(REPORT, "scan").context("scanning by kmemleak")
}
