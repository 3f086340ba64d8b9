//! Spares come and go while requests run.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;

use anyhow::Result;

use super::spare::again;
use super::{MIB, SEED};
use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{BadDisk, RamDisks};
use crate::dm::Device;
use crate::fio;
use crate::set::{self, Line, Status};

/// One bad sector every so many of the main disk.
const EVERY: u64 = 400;
/// Where requests run.
const BUSY: u64 = 16384;

pub fn play(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(5, MIB)?;
    let main = BadDisk::new("main", ram.path(0))?;
    let bad: Vec<_> = (1..BUSY / EVERY).map(|n| n * EVERY..n * EVERY + 1).collect();
    main.set_bad(&bad)?;
    let device = Line::new(&main.path(), ram.path(1)).create("set")?;
    let path = device.path();
    let job = thread::spawn(move || {
        fio::run(&path, &["rw=randwrite", "bs=4k", "size=8m", "verify=crc32c", "iodepth=8", "loops=3"])
    });
    changes(checks, &device, &main, &ram)?;
    let report = job.join().map_err(|_| anyhow::anyhow!("the thread with fio panicked"))??;
    checks.eq("requests went on meanwhile, and all is as written", report.error, 0);
    let status = Status::of(&device)?;
    checks.eq("each bad sector has its block", (status.used, status.lost), (BUSY / EVERY - 1, 0));

    let io = Direct::open(&device.path())?;
    let ends: Vec<u64> = (1..BUSY / EVERY).map(|n| n * EVERY).collect();
    for &sector in &ends {
        io.fill(sector..sector + 1, SEED)?;
    }
    drop(io);
    let printed = device.table()?;
    device.remove()?;
    let device = again(&printed)?;
    let io = Direct::open(&device.path())?;
    let verified = ends.iter().try_for_each(|&sector| io.verify(sector..sector + 1, SEED));
    checks.good("a set made from the printed table has it all", verified);
    drop(io);
    device.remove()
}

fn changes(checks: &Checks, device: &Device, main: &BadDisk, ram: &RamDisks) -> Result<()> {
    let add = |index: usize| device.message(&format!("add_spare {}", ram.path(index).display()));
    let remove = |index: usize| device.message(&format!("remove_spare {}", ram.path(index).display()));
    let count = || anyhow::Ok(device.table()?.matches(" spare ").count());
    checks.that("the only spare cannot be removed", remove(1).is_err(), "it can");
    checks.good("a spare is added", add(2));
    checks.that("but not twice", add(2).is_err(), "it is");
    let own = device.message(&format!("add_spare {}", main.path().display()));
    checks.that("and not the main disk", own.is_err(), "it is");
    checks.that(
        "something blank only",
        {
            Direct::open(ram.path(3))?.fill(2..3, SEED)?;
            add(3).is_err()
        },
        "it is taken",
    );
    checks.that("a refused one is not held", is_free(ram.path(3)), "it is");
    Direct::open(ram.path(3))?.write(2, &[0; 512])?;
    checks.good("a third is added", add(3));
    checks.eq("the table tells", count()?, 2);
    checks.that("its disk is held", !is_free(ram.path(3)), "it is free");
    checks.that("only the last can go", remove(1).is_err(), "another does");
    for round in 1..=3 {
        checks.good(format!("the last spare leaves ({round})"), remove(3));
        checks.that("its disk is free", is_free(ram.path(3)), "it is held");
        checks.that(
            "it is no spare any more",
            set::pages(ram.path(3)).is_err() || superblock_gone(ram.path(3))?,
            "it is",
        );
        checks.eq("the table tells that, too", count()?, 1);
        if round < 3 {
            clear(ram.path(3))?;
            checks.good(format!("and comes back ({round})"), add(3));
        }
    }
    // Everything moves back to the first.
    checks.good("what a leaving spare holds goes to the others", remove(2));
    clear(ram.path(2))?;
    // Two at once: one after the other, or one is refused.
    let other = ram.path(4).display().to_string();
    let name = device.name().to_owned();
    let second = thread::spawn(move || {
        crate::program::run("dmsetup", ["message", &name, "0", &format!("add_spare {other}")]).is_ok()
    });
    let first = add(2).is_ok();
    let second = second.join().unwrap_or(false);
    let status = Status::of(device)?;
    let present = status.spares.iter().filter(|spare| spare.ends_with(":present")).count();
    let wanted = 1 + usize::from(first) + usize::from(second);
    checks.eq("two messages at once do not mix", (present, count()? + 1), (wanted, wanted));
    checks.that("at least one of them is obeyed", first || second, "none is");
    Ok(())
}

fn superblock_gone(disk: &Path) -> Result<bool> {
    Ok(!Direct::open(disk)?.read(0, 1)?.starts_with(b"dmREMAP1"))
}

/// Zeros where a spare was, as whoever uses it anew would leave it.
fn clear(disk: &Path) -> Result<()> {
    let io = Direct::open(disk)?;
    (0..MIB).try_for_each(|n| Ok(io.write(n * 2048, &vec![0; 1 << 20])?))
}

/// Whether nobody has a disk for himself.
fn is_free(disk: &Path) -> bool {
    let flags = rustix::fs::OFlags::EXCL.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(disk).is_ok()
}
