//! Disks of all shapes: large blocks, odd sizes, partitions, parts of disks, disks that grow. What is stacked on a
//! set sees what it would see on the main disk.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rustix::io::Errno;

use crate::checks::Checks;
use crate::direct::{Direct, pattern};
use crate::disks::{BadDisk, LoopDisk, RamDisks, ScsiDebug, sectors_of};
use crate::dm::{Device, Table};
use crate::klog::Klog;
use crate::program;
use crate::scenario::{Next, Scenario, Step};
use crate::set::{BLOCK, Line, Status};

mod limits;

pub const SCENARIO: Scenario = Scenario {
    name: "geometry",
    about: "disks of large blocks, odd sizes, in parts or growing are served to their last sector",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    limit_seconds: 720,
    ..Scenario::USUAL
};

/// Size of each disk.
const MIB: u64 = 16;
/// The patterns are told apart by these.
const SEED: u64 = 31;

fn play(checks: &Checks) -> Result<Next> {
    large_blocks(checks)?;
    odd_size(checks)?;
    partitions(checks)?;
    in_a_table(checks)?;
    windows(checks)?;
    growing(checks)?;
    limits::play(checks)?;
    Ok(Next::Done)
}

/// Disks whose logical or physical blocks are of 4096 bytes.
fn large_blocks(checks: &Checks) -> Result<()> {
    for (name, option, logical) in [("512e", "physblk_exp=3", 1), ("4Kn", "sector_size=4096", 8)] {
        let disk = ScsiDebug::with(MIB, 0..0, &[option])?;
        let ram = RamDisks::new(1, MIB)?;
        serves(checks, &format!("a {name} main disk"), disk.path(), ram.path(0), logical)?;
        drop(ram);
        let ram = RamDisks::new(1, MIB)?;
        clear(disk.path())?;
        serves(checks, &format!("a {name} spare"), ram.path(0), disk.path(), logical)?;
    }
    let (main, spare) = (LoopDisk::new("main", MIB, 4096)?, LoopDisk::new("spare", MIB, 4096)?);
    serves(checks, "loop disks of 4096 bytes", main.path(), spare.path(), 8)?;
    // A remap block cannot be smaller than the disk's.
    let line = Line::new(main.path(), spare.path()).option("force").option("block_size 1");
    checks.that(
        "blocks smaller than the disk's are refused",
        line.create("small").is_err(),
        "they are taken",
    );
    Ok(())
}

fn odd_size(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(2, MIB)?;
    for sectors in [32761, 32767, 20001] {
        let main = Device::create("odd", &Table::new().linear(sectors, ram.path(0), 0))?;
        let spare = Device::create("spare", &Table::new().linear(sectors, ram.path(1), 0))?;
        serves(checks, &format!("disks of {sectors} sectors"), &main.path(), &spare.path(), 1)?;
        spare.remove()?;
        main.remove()?;
        clear(ram.path(1))?;
    }
    Ok(())
}

/// Zeros all over a disk.
fn clear(disk: &Path) -> Result<()> {
    let (io, sectors) = (Direct::open(disk)?, sectors_of(disk)?);
    (0..sectors).step_by(2048).try_for_each(|at| {
        let count = usize::try_from((sectors - at).min(2048))?;
        Ok(io.write(at, &vec![0; count * 512])?)
    })
}

/// Requests at both ends, across and beside bad sectors, which are whole logical blocks of `logical` sectors.
fn serves(checks: &Checks, what: &str, main: &Path, spare: &Path, logical: u64) -> Result<()> {
    let bad_main = BadDisk::new("bad", main)?;
    let end = bad_main.sectors();
    let last = end - logical;
    bad_main.set_bad(&[0..logical, 64..64 + logical, 128..128 + 2 * BLOCK, last..end])?;
    let device = Line::new(&bad_main.path(), spare).create("set")?;
    checks.eq(format!("{what}: the device is as large"), sectors_of(&device.path())?, end);
    let io = Direct::open(&device.path())?;
    let units = |from: u64, to: u64| (from / logical..to / logical).map(move |n| n * logical);
    let unit = |sector: u64, seed: u64| -> Vec<u8> {
        (sector..sector + logical).flat_map(|sector| pattern(sector, seed)).collect()
    };
    let tail = end / logical * logical - 4 * BLOCK / logical * logical;
    let all = || units(0, 192).chain(units(tail, end));
    let written = all().try_for_each(|at| anyhow::Ok(io.write(at, &unit(at, SEED))?));
    checks.good(format!("{what}: all blocks are written"), written);
    let is_there = |io: &Direct, seed: u64| {
        all().try_for_each(|at| {
            anyhow::ensure!(io.read(at, usize::try_from(logical)?)? == unit(at, seed), "not at {at}");
            Ok(())
        })
    };
    checks.good(format!("{what}: and read"), is_there(&io, SEED));
    let large: Vec<u8> = (0..192).flat_map(|sector| pattern(sector, SEED + 1)).collect();
    checks.eq(format!("{what}: in one request, too"), io.write(0, &large), Ok(()));
    checks.that(format!("{what}: which reads the same"), io.read(0, 192) == Ok(large), "it does not");
    let count = usize::try_from(end - tail)?;
    let ending: Vec<u8> = (tail..end).flat_map(|sector| pattern(sector, SEED + 1)).collect();
    checks.eq(format!("{what}: a request to the very end"), io.write(tail, &ending), Ok(()));
    checks.that(format!("{what}: reads the same"), io.read(tail, count) == Ok(ending), "it does not");
    checks.that(
        format!("{what}: nothing is behind it"),
        io.read(end, usize::try_from(logical)?).is_err(),
        "there is",
    );
    if logical > 1 {
        checks.eq(format!("{what}: single sectors are refused"), io.read(1, 1).err(), Some(Errno::INVAL));
    }
    let status = Status::of(&device)?;
    checks.eq(format!("{what}: each bad block has moved"), (status.used, status.lost), (5, 0));
    drop(io);
    device.remove()?;
    let device = Line::new(&bad_main.path(), spare).create("set")?;
    let io = Direct::open(&device.path())?;
    checks.good(format!("{what}: all is there when it is opened again"), is_there(&io, SEED + 1));
    drop(io);
    device.remove()
}

fn partitions(checks: &Checks) -> Result<()> {
    let disk = ScsiDebug::with(64, 0..0, &["num_parts=3"])?;
    let part = |number: u8| std::path::PathBuf::from(format!("{}{number}", disk.path().display()));
    serves(checks, "partitions of one disk", &part(1), &part(2), 1)?;
    // The partition itself is known again, without a disk of errors between.
    clear(&part(2))?;
    Line::new(&part(1), &part(2)).create("set")?.remove()?;
    let other = Line::new(&part(3), &part(2));
    let mut log = Klog::from_now()?;
    checks.that("another partition is refused", other.create("set").is_err(), "it is taken");
    let told = log.says("accept_other_main", Duration::from_secs(1))?;
    checks.that("and it is told what to do", told, log.lines()?.join(" / "));
    other.clone().option("accept_other_main").create("set")?.remove()?;
    checks.good("once accepted, it is the set's", other.create("set").and_then(Device::remove));
    Ok(())
}

/// Between two other targets, at an odd place.
fn in_a_table(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(3, MIB)?;
    let main = BadDisk::new("main", ram.path(0))?;
    main.set_bad(&[10..11, 999..1000])?;
    let line = Line::new(&main.path(), ram.path(1));
    let table = Table::new().linear(333, ram.path(2), 0);
    let table = table.target("remap", 1000, &line.arguments()).linear(100, ram.path(2), 333);
    let device = Device::create("set", &table)?;
    let io = Direct::open(&device.path())?;
    checks.good("a set between other targets is written", io.fill(0..1433, SEED));
    checks.good("and read", io.verify(0..1433, SEED));
    checks.that("in one request", io.read(0, 1433).is_ok(), "it is not");
    let main_io = Direct::open(&main.path())?;
    let sector = main_io.read(0, 1);
    checks.that("its first sector is the main disk's", sector == Ok(pattern(333, SEED)), "it is not");
    let beyond = main_io.read(1000, 8);
    checks.that("the main disk has nothing behind the line", beyond == Ok(vec![0; 4096]), "it has");
    let message = ["message", "set", "333", "mappings"];
    let answer = program::run("dmsetup", message)?;
    checks.that("it tells its own sectors", answer.starts_with("8 1 ") && answer.contains("992 1 "), answer);
    drop(io);
    device.remove()?;
    // A line that is shorter than the main disk, then all of it.
    let device = line.clone().sectors(1000).create("set")?;
    checks.eq("a short line makes a short device", sectors_of(&device.path())?, 1000);
    let io = Direct::open(&device.path())?;
    checks.that("which has the same sectors", io.read(999, 1) == Ok(pattern(1332, SEED)), "it has not");
    checks.that("and no more", io.read(1000, 1).is_err(), "it has");
    drop(io);
    device.load(&line.table()?)?;
    device.suspend()?;
    device.resume()?;
    checks.eq("a longer line makes it longer", sectors_of(&device.path())?, main.sectors());
    checks.good("to the end", Direct::open(&device.path())?.fill(main.sectors() - 8..main.sectors(), SEED));
    device.remove()
}

/// Two sets with parts of one spare.
fn windows(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(3, MIB)?;
    let mains = [BadDisk::new("main-a", ram.path(0))?, BadDisk::new("main-b", ram.path(1))?];
    let windows = [(1003, 12_000), (13_003, 12_345)];
    for main in &mains {
        main.set_bad(&[100..101, 4000..4100])?;
    }
    let line = |at: usize| {
        let (start, sectors) = windows[at];
        Line::new(&mains[at].path(), ram.path(2)).window(start, sectors)
    };
    for round in 0..2 {
        let devices = [line(0).create("a")?, line(1).create("b")?];
        for (seed, device) in (1..).zip(&devices) {
            let io = Direct::open(&device.path())?;
            if round == 0 {
                io.fill(96..104, seed)?;
                io.fill(3990..4110, seed)?;
                device.message("remap 8192 1024")?;
            }
        }
        for (seed, device) in (1..).zip(&devices) {
            let io = Direct::open(&device.path())?;
            checks.good(format!("set {seed} has its part of the spare ({round})"), {
                io.verify(96..104, seed).and_then(|()| io.verify(3990..4110, seed))
            });
        }
        devices.into_iter().try_for_each(Device::remove)?;
    }
    let io = Direct::open(ram.path(2))?;
    let outside = [0..1003, 25_348..sectors_of(ram.path(2))?].into_iter().all(|range| {
        let count = usize::try_from(range.end - range.start).unwrap_or(0);
        io.read(range.start, count) == Ok(vec![0; count * 512])
    });
    checks.that("nothing is written outside of the parts", outside, "it is");
    let overlapping = Line::new(&mains[1].path(), ram.path(2)).window(2000, 12_000);
    let _one = line(0).create("a")?;
    checks.that("parts that overlap are refused", overlapping.create("b").is_err(), "they are taken");
    Ok(())
}

fn growing(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(2, MIB)?;
    let table = |sectors: u64| Table::new().linear(sectors, ram.path(0), 0);
    let main = Device::create("main", &table(16_384))?;
    let line = Line::new(&main.path(), ram.path(1));
    let device = line.create("set")?;
    Direct::open(&device.path())?.fill(16_000..16_384, SEED)?;
    device.message("remap 16000 100")?;
    main.reload(&table(24_001))?;
    checks.that("a longer line is refused", device.load(&line.table()?).is_err(), "it is taken");
    device.load(&line.clone().option("grow").table()?)?;
    device.suspend()?;
    device.resume()?;
    checks.eq("with grow, the device grows", sectors_of(&device.path())?, 24_001);
    let io = Direct::open(&device.path())?;
    checks.good("it keeps what it had", io.verify(16_000..16_384, SEED));
    checks.good("and has more", io.fill(16_384..16_400, SEED).and_then(|()| io.fill(23_900..24_001, SEED)));
    drop(io);
    device.message("remap 23900 101")?;
    device.remove()?;
    let device = line.create("set")?;
    checks.eq("it stays large", sectors_of(&device.path())?, 24_001);
    let io = Direct::open(&device.path())?;
    checks.good("with all that was written", {
        io.verify(16_000..16_400, SEED).and_then(|()| io.verify(23_900..24_001, SEED))
    });
    drop(io);
    device.remove()?;
    main.reload(&table(32_000))?;
    checks.that("grown while it was closed, it is refused", line.create("set").is_err(), "it is not");
    let device = line.clone().option("grow").create("set")?;
    checks.eq("with grow, it is opened", sectors_of(&device.path())?, 32_000);
    checks.good("and whole", Direct::open(&device.path())?.verify(23_900..24_001, SEED));
    device.remove()
}
