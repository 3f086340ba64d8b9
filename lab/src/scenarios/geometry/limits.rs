//! What the kernel tells of a set: the same as of the target `linear` on the same disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::MIB;
use crate::checks::Checks;
use crate::disks::{LoopDisk, NullDisk, RamDisks, SECTORS_PER_MIB, ScsiDebug, in_sysfs};
use crate::dm::{Device, Table};
use crate::set::Line;

/// What is compared, if the kernel has it.
const TOLD: [&str; 23] = [
    "alignment_offset",
    "discard_alignment",
    "queue/add_random",
    "queue/chunk_sectors",
    "queue/dax",
    "queue/discard_granularity",
    "queue/discard_max_bytes",
    "queue/discard_max_hw_bytes",
    "queue/dma_alignment",
    "queue/fua",
    "queue/hw_sector_size",
    "queue/logical_block_size",
    "queue/max_hw_sectors_kb",
    "queue/max_sectors_kb",
    "queue/minimum_io_size",
    "queue/nonrot",
    "queue/optimal_io_size",
    "queue/physical_block_size",
    "queue/rotational",
    "queue/stable_writes",
    "queue/write_cache",
    "queue/write_zeroes_max_bytes",
    "queue/zoned",
];

pub fn play(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(1, 4 * MIB)?;
    same(checks, "a RAM disk", ram.path(0))?;
    drop(ram);
    let null = NullDisk::new("lab-limits", 4 * MIB)?;
    same(checks, "a null_blk disk", null.path())?;
    drop(null);
    for (name, bytes) in [("a loop disk", 512), ("a loop disk of 4096 bytes", 4096)] {
        let disk = LoopDisk::new("limits", 4 * MIB, bytes)?;
        same(checks, name, disk.path())?;
    }
    let unmap = ["lbpu=1", "lbpws=1"];
    for (name, option) in [("a 512e SCSI disk", "physblk_exp=3"), ("a 4Kn SCSI disk", "sector_size=4096")] {
        let disk = ScsiDebug::with(4 * MIB, 0..0, &[&unmap[..], &[option, "opt_xferlen_exp=6"]].concat())?;
        same(checks, name, disk.path())?;
    }
    let disk = ScsiDebug::with(4 * MIB, 0..0, &["physblk_exp=3", "lowest_aligned=7"])?;
    same(checks, "a SCSI disk that is not aligned", disk.path())
}

/// Main device and spare are halves of `disk`.
fn same(checks: &Checks, what: &str, disk: &Path) -> Result<()> {
    let half = 2 * MIB * SECTORS_PER_MIB;
    let table = |start: u64| Table::new().linear(half, disk, start);
    let (main, spare) = (Device::create("half-a", &table(0))?, Device::create("half-b", &table(half))?);
    let linear = Device::create("plain", &Table::new().linear(half, &main.path(), 0))?;
    let wanted = told(&linear.path())?;
    linear.remove()?;
    let set = Line::new(&main.path(), &spare.path()).create("set")?;
    let found = told(&set.path())?;
    let differences: Vec<String> = wanted
        .iter()
        .zip(&found)
        .filter(|(wanted, found)| wanted != found)
        .map(|((name, wanted), (_, found))| format!("{}: {found}, not {wanted}", name.display()))
        .collect();
    checks.eq(format!("a set on {what} shows its {} limits", wanted.len()), differences, Vec::new());
    set.remove()?;
    spare.remove()?;
    main.remove()
}

fn told(device: &Path) -> Result<Vec<(PathBuf, String)>> {
    let folder = in_sysfs(device)?;
    let read = |name: &&str| {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        Some((PathBuf::from(name), text.trim().to_owned()))
    };
    Ok(TOLD.iter().filter_map(read).collect())
}
