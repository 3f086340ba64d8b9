//! Everything hundreds of times: loading and unloading, creating and removing, suspending and reloading under
//! requests. Nothing is left behind, nothing leaks, nothing hangs.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{BadDisk, RamDisks};
use crate::dm::Device;
use crate::scenario::{Next, Scenario, Step};
use crate::set::{Line, Status};
use crate::{fio, guest, program};

mod memory;

pub const SCENARIO: Scenario = Scenario {
    name: "churn",
    about: "hundreds of creations, reloads and removals, idle and under requests, leave nothing behind",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    own_boot: true,
    memory_mib: 1024,
    limit_seconds: 900,
    ..Scenario::USUAL
};

/// Size of each disk.
const MIB: u64 = 16;
/// The patterns are told apart by these.
const SEED: u64 = 41;
/// How often sets are made in a row.
const SETS: usize = 100;
/// How many pages of memory may come and go for reasons of the kernel's own, in KiB.
const SLACK_KIB: u64 = 6144;

fn play(checks: &Checks) -> Result<Next> {
    let ram = RamDisks::new(4, MIB)?;
    create_and_remove(checks, &ram)?;
    beside_requests(checks, &ram)?;
    under_requests(checks, &ram)?;
    removed_in_recovery(checks, &ram)?;
    drop(ram);
    memory::short(checks)?;
    module_in_use(checks)?;
    Ok(Next::Done)
}

/// Makes sets as fast as it can, each with something to recover.
fn create_and_remove(checks: &Checks, ram: &RamDisks) -> Result<()> {
    let main = BadDisk::new("main", ram.path(0))?;
    // Whole blocks: of others the kernel complains at each creation, and a console is slow.
    main.set_bad(&[96..104, 5000..5008])?;
    let line = Line::new(&main.path(), ram.path(1));
    let once = |n: usize| -> Result<()> {
        let device = line.create("set")?;
        let io = Direct::open(&device.path())?;
        io.fill(96..104, SEED + n as u64)?;
        let _ = io.read(5000, 1);
        drop(io);
        if n.is_multiple_of(5) {
            device.message("scrub start")?;
        }
        device.remove()
    };
    // What is made at first use stays.
    (0..20).try_for_each(once)?;
    let before = memory::used_kib()?;
    let start = Instant::now();
    (0..SETS).try_for_each(once)?;
    println!("{SETS} sets in {:.1} s", start.elapsed().as_secs_f64());
    let after = memory::used_kib()?;
    for ((what, before), (_, after)) in before.into_iter().zip(after) {
        let grown = after.saturating_sub(before);
        checks.that(
            format!("{SETS} sets leave {what} as it was"),
            grown < SLACK_KIB,
            format!("{grown} KiB more"),
        );
    }
    checks.eq("nobody uses the module", users()?, 0);
    let device = line.create("set")?;
    checks.eq("a set counts as one use", users()?, 1);
    checks.good(
        "the last contents are there",
        Direct::open(&device.path())?.verify(96..104, SEED + SETS as u64 - 1),
    );
    device.remove()
}

/// How many use the module.
fn users() -> Result<u64> {
    Ok(fs::read_to_string("/sys/module/dm_remap/refcnt")?.trim().parse()?)
}

/// Sets come and go while another works.
fn beside_requests(checks: &Checks, ram: &RamDisks) -> Result<()> {
    let main = BadDisk::new("main", ram.path(0))?;
    let bad: Vec<_> = (1..60).map(|n| n * 250..n * 250 + 1).collect();
    main.set_bad(&bad)?;
    let busy = Line::new(&main.path(), ram.path(1)).create("busy")?;
    let job = verified_job(&busy, 3)?;
    let other = Line::new(ram.path(2), ram.path(3));
    let mut rounds = 0;
    while !job.is_finished() && rounds < 200 {
        let device = other.create("set")?;
        device.message("remap 0 64")?;
        device.remove()?;
        rounds += 1;
    }
    let report = job.join().map_err(|_| anyhow::anyhow!("the thread with fio panicked"))??;
    checks.eq(format!("requests go on beside {rounds} sets"), report.error, 0);
    busy.remove()
}

/// A thread that writes and verifies the first half of a device, `loops` times.
///
/// fio closes its file between writing and verifying, and opens it again by its name. Both the name and the device
/// itself may go meanwhile, so the device is held open here and fio is given the name of that.
fn verified_job(device: &Device, loops: u32) -> Result<thread::JoinHandle<Result<fio::Report>>> {
    let held = fs::File::open(device.path()).context("opening the device for fio")?;
    let loops = format!("loops={loops}");
    Ok(thread::spawn(move || {
        let path = format!("/proc/{}/fd/{}", std::process::id(), held.as_raw_fd());
        fio::run(
            Path::new(&path),
            &["rw=randwrite", "bs=4k", "size=8m", "verify=crc32c", "iodepth=16", &loops],
        )
    }))
}

/// The set itself is suspended, reloaded and renamed while it works; bad sectors come and go.
fn under_requests(checks: &Checks, ram: &RamDisks) -> Result<()> {
    let main = BadDisk::new("main", ram.path(0))?;
    let line = Line::new(&main.path(), ram.path(1));
    let mut device = line.create("set")?;
    let job = verified_job(&device, 4)?;
    let mut rounds = 0_u64;
    while !job.is_finished() && rounds < 100 {
        device.load(&line.table()?)?;
        if rounds.is_multiple_of(2) {
            device.suspend()?;
        } else {
            device.suspend_without_flush()?;
        }
        device.resume()?;
        rounds += 1;
        if rounds.is_multiple_of(10) {
            device.rename(if rounds.is_multiple_of(20) { "set" } else { "renamed" })?;
        }
    }
    let report = job.join().map_err(|_| anyhow::anyhow!("the thread with fio panicked"))??;
    checks.eq(format!("requests go on over {rounds} reloads"), report.error, 0);
    checks.eq("the module is used once", users()?, 1);
    device.load(&line.table()?)?;
    checks.eq("and twice with a table in wait", users()?, 2);
    let refused = device.message(&format!("add_spare {}", ram.path(2).display()));
    checks.that("which must be used before a spare comes", refused.is_err(), "it may come");
    program::run("dmsetup", ["clear", device.name()])?;
    checks.eq("and once when that is cleared", users()?, 1);
    device.remove()
}

/// The device is removed while requests are being recovered: with the last user it goes.
fn removed_in_recovery(checks: &Checks, ram: &RamDisks) -> Result<()> {
    let main = BadDisk::new("main", ram.path(0))?;
    let bad: Vec<_> = (1..400).map(|n| n * 40..n * 40 + 1).collect();
    main.set_bad(&bad)?;
    let line = Line::new(&main.path(), ram.path(1)).option("force");
    for round in 0..5 {
        let device = line.create("set")?;
        // Opened before it is told to go, whatever fio takes to start.
        let io = Direct::open(&device.path())?;
        let job = verified_job(&device, 1)?;
        thread::sleep(Duration::from_millis(500 * (round + 1)));
        program::run("dmsetup", ["remove", "--deferred", "set"])?;
        let report = job.join().map_err(|_| anyhow::anyhow!("the thread with fio panicked"))??;
        ensure!(report.error == 0, "round {round}: a deferred removal disturbs requests: {}", report.error);
        // By itself from now on.
        std::mem::forget(device);
        drop(io);
        guest::eventually("the device gone", || {
            ensure!(!program::run("dmsetup", ["ls"])?.contains("set\t"), "it is there");
            Ok(())
        })?;
    }
    checks.ok("a device goes with its last user, whatever is under way");
    let line = Line::new(&main.path(), ram.path(1));
    let device = line.create("set")?;
    let status = Status::of(&device)?;
    checks.that("what was recovered is there", status.used > 100 && status.lost == 0, format!("{status:?}"));
    device.remove()
}

/// The module comes and goes, but not while it is used.
fn module_in_use(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(2, MIB)?;
    let device = Line::new(ram.path(0), ram.path(1)).create("set")?;
    checks.that("a module in use is not unloaded", program::run("rmmod", ["dm_remap"]).is_err(), "it is");
    device.remove()?;
    let Some(module) = guest::target_module() else {
        checks.failed("the module can be loaded again", "it is not known where it is");
        return Ok(());
    };
    let before = memory::used_kib()?;
    for round in 0..40 {
        guest::unload("dm_remap").with_context(|| format!("round {round}"))?;
        program::run("insmod", [module])?;
        if round % 4 == 0 {
            let device = Line::new(ram.path(0), ram.path(1)).create("set")?;
            Direct::open(&device.path())?.fill(0..8, SEED)?;
            device.remove()?;
        }
    }
    checks.ok("the module comes and goes 40 times");
    for ((what, before), (_, after)) in before.into_iter().zip(memory::used_kib()?) {
        let grown = after.saturating_sub(before);
        checks.that(format!("and leaves {what} as it was"), grown < SLACK_KIB, format!("{grown} KiB more"));
    }
    Ok(())
}
