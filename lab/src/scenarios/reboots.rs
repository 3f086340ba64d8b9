//! Disks last over boots, orderly ends and power cuts.

use anyhow::Result;

use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{kept, sectors_of};
use crate::fs::Kind;
use crate::scenario::{Disk, Next, Scenario, Step};

/// How many sectors are written in each step.
const SECTORS: u64 = 64;

pub const SCENARIO: Scenario = Scenario {
    name: "reboots",
    about: "what was written and flushed is there after a reboot and after a power cut",
    steps: &[
        Step { name: "write", play: write },
        Step { name: "cut", play: cut },
        Step { name: "check", play: check },
    ],
    disks: &[Disk { name: "raw", mebibytes: 64 }, Disk { name: "files", mebibytes: 128 }],
    memory_mib: 1024,
    ..Scenario::USUAL
};

fn write(checks: &Checks) -> Result<Next> {
    let (raw, files) = (kept("raw")?, kept("files")?);
    checks.eq("each disk has its size", (sectors_of(&raw)?, sectors_of(&files)?), (64 * 2048, 128 * 2048));
    let disk = Direct::open(&raw)?;
    checks.good("sectors are written", disk.fill(0..SECTORS, 1));
    disk.flush()?;
    Kind::Ext4.make(&files)?;
    Ok(Next::Done)
}

fn cut(checks: &Checks) -> Result<Next> {
    let disk = Direct::open(&kept("raw")?)?;
    checks.good("sectors are there after an orderly end", disk.verify(0..SECTORS, 1));
    disk.fill(SECTORS..2 * SECTORS, 2)?;
    disk.flush()?;
    // Left mounted with a file that was synced and one that was not.
    let mounted = Kind::Ext4.mount(&kept("files")?, "files")?;
    let synced = std::fs::File::create(mounted.folder().join("synced"))?;
    std::io::Write::write_all(&mut &synced, b"synced")?;
    synced.sync_all()?;
    std::fs::File::open(mounted.folder())?.sync_all()?;
    std::fs::write(mounted.folder().join("only in memory"), b"lost")?;
    std::mem::forget(mounted);
    checks.ok("files are written");
    Ok(Next::PowerCut)
}

fn check(checks: &Checks) -> Result<Next> {
    let disk = Direct::open(&kept("raw")?)?;
    checks.good("sectors of both boots are there after a power cut", {
        disk.verify(0..SECTORS, 1).and_then(|()| disk.verify(SECTORS..2 * SECTORS, 2))
    });
    let files = kept("files")?;
    let mounted = Kind::Ext4.mount(&files, "files")?;
    let synced = std::fs::read(mounted.folder().join("synced"))?;
    checks.eq("a synced file is there", synced, b"synced".to_vec());
    let lost = mounted.folder().join("only in memory");
    checks.that(
        "a file that was not synced is lost, so the power was really cut",
        !lost.exists(),
        "it is there",
    );
    mounted.unmount()?;
    checks.good("the file system is sound", Kind::Ext4.check(&files));
    Ok(Next::Done)
}
