//! ZFS on a set: the mirror with a plain disk that other remapping targets cannot form, filled, scrubbed, moved.

use std::path::Path;

use anyhow::{Context, Result};

use crate::checks::Checks;
use crate::disks::{BadDisk, LoopDisk, RamDisks};
use crate::dm::{Device, Table};
use crate::scenario::{Next, Scenario, Step};
use crate::tree::Tree;
use crate::{guest, zfs};

pub const SCENARIO: Scenario = Scenario {
    name: "zfs",
    about: "a mirror of a remapped and a plain disk is made, filled, scrubbed, exported, imported",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    needs_zfs: true,
    only_if_named: true,
    own_boot: true,
    memory_mib: 3072,
    limit_seconds: 1800,
    ..Scenario::USUAL
};

const MEBIBYTES: u64 = 256;
const POOL: &str = "mynewpool";

fn play(checks: &Checks) -> Result<Next> {
    zfs::load()?;
    let ram = RamDisks::new(2, MEBIBYTES)?;
    let bad = BadDisk::new("main", ram.path(0))?;
    bad.set_bad(&scattered(1, 300, bad.sectors()))?;
    let line = format!("{} {}", bad.path().display(), ram.path(1).display());
    let table = Table::new().target("remap", bad.sectors(), &line);
    let device = Device::create("dm-test-remap", &table)?;
    let plain = LoopDisk::new("plain", MEBIBYTES, 512)?;
    let nodes = [device.path(), plain.path().to_path_buf()].map(|path| path.display().to_string());

    let folder = guest::new_folder("pool")?;
    let mount = format!("mountpoint={}", folder.display());
    zfs::zpool(["create", "-f", "-O", &mount, POOL, "mirror", &nodes[0], &nodes[1]])
        .context("making the mirror")?;
    checks.ok("a mirror of a remapped and a plain disk can be made");
    let copy = folder.join("copy");
    let tree = Tree::copy(Path::new("/usr/share/perl"), &copy, 24 << 20)?;
    let more = Tree::copy(Path::new("/usr/share/perl5"), &folder.join("more"), 24 << 20)?;
    zfs::zpool(["sync", POOL])?;
    zfs::zpool(["scrub", "-w", POOL])?;
    healthy(checks, "after a scrub")?;
    checks.eq("the files are the same", tree.differences(&copy), Vec::new());

    // Sectors under data that is there: those are lost, and ZFS writes them anew from the other disk.
    let mut worse = scattered(1, 300, bad.sectors());
    worse.extend(scattered(2, 300, bad.sectors()));
    worse.sort_unstable_by_key(|range| range.start);
    worse.dedup();
    bad.set_bad(&worse)?;
    zfs::zpool(["scrub", "-w", POOL])?;
    zfs::zpool(["clear", POOL])?;
    zfs::zpool(["scrub", "-w", POOL])?;
    healthy(checks, "once a scrub has healed what was lost")?;
    let status = device.status()?;
    let moved: u64 = status.split(' ').nth(4).and_then(|moved| moved.parse().ok()).context("no status")?;
    checks.that("sectors were carried", moved > 0, &status);

    zfs::zpool(["export", POOL])?;
    device.remove()?;
    let device = Device::create("dm-test-remap", &table)?;
    zfs::zpool(["import", "-d", "/dev/mapper", "-d", &nodes[1], POOL])?;
    checks.eq("the first files are the same", tree.differences(&copy), Vec::new());
    checks.eq("the later files are the same", more.differences(&folder.join("more")), Vec::new());
    zfs::zpool(["scrub", "-w", POOL])?;
    healthy(checks, "after export and import")?;
    zfs::zpool(["destroy", POOL])?;
    drop(device);
    zfs::unload()?;
    Ok(Next::Done)
}

/// Fails unless ZFS finds nothing to say against the pool, and has counted no error.
fn healthy(checks: &Checks, when: &str) -> Result<()> {
    let said = zfs::zpool(["status", "-x", POOL])?;
    checks.that(format!("the pool is healthy {when}"), said.contains("is healthy"), &said);
    let errors = zfs::zpool(["status", "-p", POOL])?;
    let counted = errors.lines().filter(|line| line.contains("ONLINE") && !line.contains("state:"));
    let clean = counted.clone().all(|line| line.split_whitespace().skip(2).take(3).all(|count| count == "0"));
    checks.that(format!("it has counted no error {when}"), clean && counted.count() >= 4, errors);
    Ok(())
}

/// Sectors that were chosen by `seed`, behind what is read before anything was written.
fn scattered(seed: u64, count: u64, sectors: u64) -> Vec<std::ops::Range<u64>> {
    let mut bad: Vec<u64> = (0..count)
        .map(|index| {
            let x = (seed << 32 | index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            4096 + (x >> 20) % (sectors - 8192)
        })
        .collect();
    bad.sort_unstable();
    bad.dedup();
    bad.into_iter().map(|sector| sector..sector + 1).collect()
}
