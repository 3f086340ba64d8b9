//! The fixtures do what they say. Other scenarios rely on that, and a fixture that never fails proves nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::io::Errno;

use crate::checks::Checks;
use crate::direct::{Direct, pattern};
use crate::disks::{BadDisk, LoopDisk, NullDisk, RamDisks, SECTORS_PER_MIB, ScsiDebug, sectors_of};
use crate::dm::{Device, Table};
use crate::fs::Kind;
use crate::klog::{self, Klog};
use crate::scenario::{Next, Scenario, Step};
use crate::tree::Tree;
use crate::{fio, guest};

pub const SCENARIO: Scenario = Scenario {
    name: "fixtures",
    about: "disks fail where, when and how they are told to, and nowhere else",
    steps: &[Step { name: "all", play }],
    limit_seconds: 900,
    ..Scenario::USUAL
};

fn play(checks: &Checks) -> Result<Next> {
    bad_disk(checks)?;
    bad_disk_in_use(checks)?;
    null_disk(checks)?;
    scsi_debug(checks)?;
    loop_disk(checks)?;
    flakey(checks)?;
    mapped_device(checks)?;
    kernel_log(checks)?;
    Ok(Next::Done)
}

fn bad_disk(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(1, 16)?;
    let disk = BadDisk::new("bad", ram.path(0))?;
    checks.eq("a bad disk has the size of its base", disk.sectors(), 16 * SECTORS_PER_MIB);
    let io = Direct::open(&disk.path())?;
    io.fill(0..64, 1)?;
    checks.eq("without bad sectors nothing fails", io.unreadable(0..64), Vec::new());

    disk.set_bad(&[8..9, 20..23])?;
    let io = Direct::open(&disk.path())?;
    let bad: Vec<_> = [8, 20, 21, 22].map(|sector| (sector, Errno::IO)).into();
    checks.eq("exactly the bad sectors fail reads", io.unreadable(0..64), bad);
    checks.eq("a request that touches a bad sector fails", io.read(0, 16).err(), Some(Errno::IO));
    checks.eq("a bad sector fails writes", io.write(8, &pattern(8, 2)).err(), Some(Errno::IO));
    checks.good("neighbours hold what was written", io.verify(0..8, 1).and_then(|()| io.verify(9..20, 1)));
    checks.eq("neighbours can be written", io.write(9, &pattern(9, 2)), Ok(()));

    disk.set_bad(&[])?;
    let io = Direct::open(&disk.path())?;
    checks.good(
        "healed sectors hold what they held before",
        io.verify(20..23, 1).and_then(|()| io.verify(8..9, 1)),
    );
    disk.die()?;
    let io = Direct::open(&disk.path())?;
    checks.eq("a dead disk fails everywhere", io.unreadable(0..64).len(), 64);
    Ok(())
}

fn bad_disk_in_use(checks: &Checks) -> Result<()> {
    for kind in Kind::ALL {
        let name = kind.name();
        let ram = RamDisks::new(1, 320)?;
        let disk = BadDisk::new("in-use", ram.path(0))?;
        kind.make(&disk.path())?;
        let mounted = kind.mount(&disk.path(), "in-use")?;
        let copy = mounted.folder().join("copy");
        let tree = Tree::copy(Path::new("/usr/share/perl5"), &copy, 4 << 20)?;
        ensure!(!tree.is_empty(), "there was nothing to copy");
        guest::drop_caches()?;
        // Where no file system has put anything of these few files.
        let end = disk.sectors();
        disk.set_bad(&[end - 2048..end - 2040])?;
        checks.eq(
            format!("{name}: a table is changed beneath a mounted file system"),
            tree.differences(&copy),
            Vec::new(),
        );
        disk.set_bad(&[])?;
        mounted.unmount()?;
        checks.good(format!("{name}: is sound"), kind.check(&disk.path()));
    }
    Ok(())
}

fn null_disk(checks: &Checks) -> Result<()> {
    let disk = NullDisk::new("lab-null", 16)?;
    let io = Direct::open(disk.path())?;
    io.fill(0..32, 3)?;
    disk.break_sectors(4..6)?;
    checks.eq(
        "null_blk fails reads of bad sectors",
        io.unreadable(0..32),
        vec![(4, Errno::IO), (5, Errno::IO)],
    );
    checks.eq("null_blk fails writes of bad sectors", io.write(4, &pattern(4, 4)).err(), Some(Errno::IO));
    disk.heal_sectors(4..6)?;
    checks.good("null_blk heals sectors", io.verify(0..32, 3));
    Ok(())
}

fn scsi_debug(checks: &Checks) -> Result<()> {
    let mut log = Klog::from_now()?;
    let disk = ScsiDebug::new(16, 100..102)?;
    let io = Direct::open(disk.path())?;
    io.fill(90..110, 5)?;
    let bad = vec![(100, Errno::NODATA), (101, Errno::NODATA)];
    checks.eq("scsi_debug fails reads with a medium error", io.unreadable(90..110), bad);
    let told = log.says("critical medium error", Duration::from_secs(5))?;
    checks.that("the kernel's log tells of the medium error", told, "it does not");
    disk.set_failing(false)?;
    checks.good("scsi_debug stops failing when it is told to", io.verify(90..110, 5));
    Ok(())
}

fn loop_disk(checks: &Checks) -> Result<()> {
    let disk = LoopDisk::new("blocks", 16, 4096)?;
    checks.eq("a loop disk has its size", sectors_of(disk.path())?, 16 * SECTORS_PER_MIB);
    let io = Direct::open(disk.path())?;
    checks.eq("a loop disk of large blocks refuses single sectors", io.read(0, 1).err(), Some(Errno::INVAL));
    checks.that("and reads whole blocks", io.read(8, 8).is_ok(), "it does not");
    let job = ["rw=randwrite", "bs=4k", "size=8m", "verify=crc32c", "iodepth=8"];
    let report = fio::run(disk.path(), &job)?;
    checks.eq("fio verifies what it wrote", (report.error, report.write.total_ios), (0, 2048));
    Ok(())
}

fn flakey(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(1, 16)?;
    let path = ram.path(0);
    let sectors = sectors_of(path)?;
    // Up for no time, down for ever.
    let table =
        Table::new().target("flakey", sectors, &format!("{} 0 0 1000 1 error_writes", path.display()));
    let device = Device::create("flakey", &table)?;
    let io = Direct::open(&device.path())?;
    checks.eq("dm-flakey fails writes", io.write(0, &pattern(0, 6)).err(), Some(Errno::IO));
    checks.that("and still reads", io.read(0, 1).is_ok(), "it does not");
    let report = fio::run(&device.path(), &["rw=write", "bs=4k", "size=64k"])?;
    checks.eq("fio reports the failure", report.error, Errno::IO.raw_os_error());
    Ok(())
}

fn mapped_device(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(2, 16)?;
    let sectors = sectors_of(ram.path(0))?;
    let mut device = Device::create("mapped", &Table::new().linear(sectors, ram.path(0), 0))?;
    checks.that(
        "a table reads as it was given",
        device.table()?.starts_with(&format!("0 {sectors} linear ")),
        device.table()?,
    );
    device.suspend()?;
    device.resume()?;
    device.rename("renamed")?;
    checks.that("a renamed device has a node", device.path().exists(), "it has none");
    checks.that("linear knows no message", device.message("hello").is_err(), "it does");

    // A snapshot that cannot store what changes becomes invalid, which is an event.
    let store = BadDisk::new("store", ram.path(1))?;
    guest::load("dm_snapshot", &[])?;
    let arguments = format!("{} {} N 8", device.path().display(), store.path().display());
    let snapshot = Device::create("snapshot", &Table::new().target("snapshot", sectors, &arguments))?;
    let events = snapshot.events()?;
    store.die()?;
    let written = Direct::open(&snapshot.path())?.write(0, &pattern(0, 7));
    checks.eq("a snapshot without a store fails writes", written, Err(Errno::IO));
    checks.good("that is an event", snapshot.wait(events, Duration::from_secs(20)));
    checks.that("and stands in the status", snapshot.status()?.contains("Invalid"), snapshot.status()?);
    checks.good("a device is removed", snapshot.remove());
    Ok(())
}

fn kernel_log(checks: &Checks) -> Result<()> {
    klog::say("before")?;
    let mut log = Klog::from_now()?;
    klog::say("a word")?;
    checks.that(
        "the log tells what came since",
        log.says("lab: a word", Duration::from_secs(1))?,
        "it does not",
    );
    checks.that("and nothing from before", !log.says("lab: before", Duration::ZERO)?, "it does");
    Ok(())
}
