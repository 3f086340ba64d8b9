//! The kernel's memory: how much of it is used, and recovery while hardly any is left.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::{MIB, SEED};
use crate::checks::Checks;
use crate::direct::{Direct, pattern};
use crate::disks::{BadDisk, RamDisks, SECTORS_PER_MIB};
use crate::set::{Line, Status};
use crate::{guest, program};

/// What the kernel itself takes, as `/proc/meminfo` names it.
const OF_THE_KERNEL: [&str; 4] = ["SUnreclaim", "VmallocUsed", "Percpu", "KernelStack"];
/// So much is left when memory is short, in KiB.
const LEFT_KIB: u64 = 40 << 10;
/// What is written then.
const SECTORS: u64 = 16_384;
/// Bad sectors: one every so many.
const EVERY: u64 = 32;

/// What the kernel's parts use, in KiB.
pub fn used_kib() -> Result<Vec<(&'static str, u64)>> {
    // Not what files hold: all programs would have to be read again.
    fs::write("/proc/sys/vm/drop_caches", "2")?;
    OF_THE_KERNEL.iter().map(|&name| Ok((name, meminfo_kib(name)?))).collect()
}

fn meminfo_kib(name: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).with_context(|| format!("/proc/meminfo has no {name}"))
}

/// Files take all memory but a little, and buffered writes meet bad sectors.
pub fn short(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(2, MIB)?;
    // Disks in memory take none later where they have been written before.
    for disk in 0..2 {
        Direct::open(ram.path(disk))?.fill(0..MIB * SECTORS_PER_MIB, 0)?;
    }
    let main = BadDisk::new("main", ram.path(0))?;
    let bad: Vec<_> = (0..SECTORS / EVERY).map(|n| n * EVERY + 5..n * EVERY + 6).collect();
    main.set_bad(&bad)?;
    let device = Line::new(&main.path(), ram.path(1)).option("force").create("set")?;
    let contents: Vec<u8> = (0..SECTORS).flat_map(|sector| pattern(sector, SEED)).collect();
    let hog = Hog::take()?;
    let before = meminfo_kib("MemAvailable")?;
    for round in 0..2 {
        let mut file = File::options().write(true).open(device.path())?;
        file.write_all(&contents).with_context(|| format!("writing with {before} KiB left"))?;
        file.sync_all().with_context(|| format!("syncing, round {round}"))?;
    }
    drop(hog);
    checks.ok(format!("buffered writes over {} bad sectors with {before} KiB of memory left", bad.len()));
    let io = Direct::open(&device.path())?;
    let verified = (0..SECTORS).step_by(64).try_for_each(|at| {
        let wanted: Vec<u8> = (at..at + 64).flat_map(|sector| pattern(sector, SEED)).collect();
        ensure!(io.read(at, 64)? == wanted, "other bytes at {at}");
        Ok(())
    });
    checks.good("all of it is there", verified);
    let status = Status::of(&device)?;
    checks.eq("each bad sector has moved", (status.used, status.lost), (SECTORS / EVERY, 0));
    drop(io);
    device.remove()
}

/// A file in memory that is as large as can be, on a file system of its own: others end at half the memory.
struct Hog {
    folder: PathBuf,
}

impl Hog {
    fn take() -> Result<Self> {
        let folder = guest::new_folder("hog")?;
        let words = ["-t", "tmpfs", "-o", "size=100%", "hog"].map(OsStr::new);
        program::run("mount", words.into_iter().chain([folder.as_os_str()]))?;
        let hog = Self { folder };
        let mut file = File::create(hog.folder.join("memory"))?;
        while meminfo_kib("MemAvailable")? > LEFT_KIB {
            file.write_all(&vec![0xa5; 4 << 20]).context("a file in memory")?;
        }
        Ok(hog)
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        if let Err(error) = program::run("umount", [&self.folder]) {
            println!("memory stays taken: {error:#}");
        }
    }
}
