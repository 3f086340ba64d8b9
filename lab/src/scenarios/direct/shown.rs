//! What is shown of a set: its table, its events, its figures in sysfs; and the names that it goes by.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::checks::Checks;
use crate::direct::Direct;
use crate::dm::{Device, Table};
use crate::mirror::Mirror;
use crate::program;
use crate::scenarios::on_ram::{OnRam, ranges, table_again};

const SECTORS: u64 = 2048;
const SYSFS: &str = "/sys/kernel/dm_remap";
const FILES: [&str; 14] = [
    "total_reads",
    "total_writes",
    "total_remaps",
    "total_errors",
    "active_mappings",
    "last_remap_time",
    "last_error_time",
    "avg_latency_us",
    "remapped_sectors",
    "lost_sectors",
    "spare_sectors_used",
    "remap_rate_per_hour",
    "error_rate_per_hour",
    "health_score",
];

pub fn play(checks: &Checks) -> Result<()> {
    let mut mirror = Mirror::new(SECTORS, 7);
    let mut set = OnRam::new(32, "", |main| {
        mirror.write_all(&Direct::open(&main.path())?)?;
        main.set_bad(&ranges(&[100, 300, 301, 700]))
    })?;
    events(checks, &set, &mut mirror)?;
    sysfs(checks, &set)?;
    names(checks, &mut set, &mirror)
}

fn events(checks: &Checks, set: &OnRam, mirror: &mut Mirror) -> Result<()> {
    let (device, io) = (set.device()?, set.io()?);
    let limit = Duration::from_secs(20);
    let before = device.events()?;
    mirror.write(&io, 100..101)?;
    checks.good("a move is an event", device.wait(before, limit));
    let before = device.events()?;
    checks.that("sector 700 is lost", io.read(700, 1).is_err(), "it is not");
    checks.good("a loss is an event", device.wait(before, limit));
    // Who waits already is woken.
    let before = device.events()?;
    let woken = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| device.wait(before, limit));
        std::thread::sleep(Duration::from_millis(300));
        let written = mirror.write(&io, 300..302);
        waiting.join().map_err(|_| anyhow::anyhow!("the waiting thread panicked"))?.and(written)
    });
    checks.good("dmsetup wait returns on a move", woken);
    Ok(())
}

fn value(folder: &Path, name: &str) -> Result<u64> {
    let file = folder.join(name);
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    text.trim().parse().with_context(|| format!("{name} holds {text:?}"))
}

fn sysfs(checks: &Checks, set: &OnRam) -> Result<()> {
    let words = ["info", "--columns", "--noheadings", "-o", "blkdevname", set.device()?.name()];
    let name = program::run("dmsetup", words)?;
    for (what, folder) in
        [("all sets", Path::new(SYSFS).to_path_buf()), ("the set", Path::new(SYSFS).join(name.trim()))]
    {
        let unread: Vec<_> = FILES.iter().filter(|file| value(&folder, file).is_err()).collect();
        checks.eq(format!("sysfs of {what} has every figure"), unread, Vec::new());
        let found = ["active_mappings", "remapped_sectors", "lost_sectors", "spare_sectors_used"]
            .map(|file| value(&folder, file).unwrap_or(u64::MAX));
        // Of the block of sector 700 the seven others were salvaged.
        checks.eq(format!("sysfs of {what} tells what was moved"), found, [3, 10, 1, 24]);
        checks.eq(format!("sysfs of {what} tells how many moves"), value(&folder, "total_remaps")?, 10);
        checks.that(
            format!("sysfs of {what} counts errors"),
            value(&folder, "total_errors")? >= 4,
            "fewer than 4",
        );
        checks.eq(
            format!("sysfs of {what} tells the health"),
            value(&folder, "health_score")?,
            set.status()?.health,
        );
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let ago = now.saturating_sub(value(&folder, "last_remap_time")?);
        checks.that(
            format!("sysfs of {what} tells when the last move was"),
            ago < 300,
            format!("{ago} s ago"),
        );
        let all = fs::read_to_string(folder.join("all_stats"))?;
        let missing: Vec<_> = FILES
            .iter()
            .filter(|file| {
                let metric = format!("dm_remap_{file}");
                let has = |start: &str| all.lines().any(|line| line.starts_with(start));
                !(has(&format!("# HELP {metric} ")) && has(&format!("# TYPE {metric} ")) && has(&metric))
            })
            .collect();
        checks.eq(format!("all_stats of {what} has every figure"), missing, Vec::new());
    }
    let before = value(Path::new(SYSFS), "total_reads")?;
    let io = set.io()?;
    (0..8).try_for_each(|sector| io.read(sector, 1).map(drop))?;
    checks.eq("sysfs counts reads", value(Path::new(SYSFS), "total_reads")?, before + 8);
    Ok(())
}

/// The same set under each name of the target and in each form of its line.
fn names(checks: &Checks, set: &mut OnRam, mirror: &Mirror) -> Result<()> {
    let printed = set.device()?.table()?;
    let sectors = set.main().sectors();
    let arguments = format!("{} {}", set.main().path().display(), set.spare().display());
    let spare_sectors = crate::disks::sectors_of(set.spare())?;
    set.remove()?;
    let lines = [
        ("what dmsetup table prints", table_again(&printed)?),
        ("dm-remap", Table::new().target("dm-remap", sectors, &arguments)),
        ("dm-remap-v4", Table::new().target("dm-remap-v4", sectors, &arguments)),
        (
            "a line with the spare's length",
            Table::new().target("remap", sectors, &format!("{arguments} 0 {spare_sectors}")),
        ),
        ("no options", Table::new().target("remap", sectors, &format!("{arguments} 0"))),
    ];
    for (what, table) in lines {
        let device = Device::create("named", &table)?;
        let io = Direct::open(&device.path())?;
        let around =
            mirror.compare_range(&io, 0..700, 8).and_then(|()| mirror.compare_range(&io, 701..SECTORS, 8));
        checks.good(format!("{what} makes the same device again"), around);
        let again = device.table()?;
        drop(io);
        device.remove()?;
        let device = Device::create("named", &table_again(&again)?)?;
        checks.eq(format!("{what}: its table makes itself"), device.table()?, again);
        let deps = program::run("dmsetup", ["deps", device.name()])?;
        checks.that(format!("{what}: depends on both disks"), deps.starts_with("2 dependencies"), &deps);
        device.remove()?;
    }
    set.create()?;
    checks.eq("and it is what it was", set.device()?.table()?, printed);
    Ok(())
}
