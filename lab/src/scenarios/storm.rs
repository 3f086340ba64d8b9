//! Thousands of bad sectors at once under dozens of threads, and requests while the device is changed.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::on_ram::{self, OnRam, ranges};
use crate::checks::Checks;
use crate::fio;
use crate::load::{Load, Random};
use crate::program;
use crate::scenario::{Next, Scenario, Step};
use crate::set;

pub const SCENARIO: Scenario = Scenario {
    name: "storm",
    about: "thousands of bad sectors under dozens of threads: nothing acknowledged is lost, no read lies",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    limit_seconds: 1200,
    ..Scenario::USUAL
};

/// Sectors of the region with bad sectors: 16 MiB.
const REGION: u64 = 32_768;
const LANES: u64 = 64;
/// Blocks of the region.
const BLOCKS: u64 = REGION / 8;

fn play(checks: &Checks) -> Result<Next> {
    on_ram::play_all(checks, &[("lanes", lanes), ("growing", growing), ("jobs", jobs)])
}

/// Every third sector of the region.
fn thirds() -> Vec<u64> {
    (0..REGION).step_by(3).collect()
}

/// All bad sectors are there from the beginning.
fn lanes(checks: &Checks) -> Result<()> {
    let mut load = Load::new(LANES, REGION, 11);
    let mut set = OnRam::new(64, "", |main| {
        load.write_all(&main.path())?;
        main.set_bad(&ranges(&thirds()))
    })?;
    load.may_fail(thirds());
    let path = set.device()?.path();
    checks.good("64 threads write and read over every third sector bad", load.run_alone(&path, 60));
    checks.good("all that was written is there", load.compare(&path));
    let status = set.status()?;
    checks.that("moved blocks are those of the region", (1..=BLOCKS).contains(&status.used), status.used);
    checks.that("no slot failed", status.retired == 0 && status.metadata_errors == 0, format!("{status:?}"));
    consistent(checks, &mut set, "after the storm")?;
    checks.good("and all is there again", load.compare(&path));
    let lost = set.status()?.lost;
    checks.eq("exactly the bad sectors that nobody wrote are lost", lost, load.doubtful() as u64);

    during_changes(checks, &set, &mut load)?;
    checks.good("after changes all is there", load.compare(&path));
    consistent(checks, &mut set, "after changes")?;
    checks.good("after changes and create all is there", load.compare(&path));
    // What cannot be read can be written, all of it.
    checks.good("a last round", load.run_alone(&path, 40));
    checks.good("holds", load.compare(&path));
    Ok(())
}

/// Suspending, reloading, asking, scrubbing, and trying to remove, all beneath requests.
fn during_changes(checks: &Checks, set: &OnRam, load: &mut Load) -> Result<()> {
    let device = set.device()?;
    let (mut rounds, mut refused) = (0, 0);
    // In use from the first moment to the last.
    let in_use = set.io()?;
    let played = load.run(&device.path(), 150, |ended| {
        while !ended.load(Ordering::Acquire) || rounds < 2 {
            device.suspend()?;
            thread::sleep(Duration::from_millis(20));
            device.resume()?;
            device.load(&set.table()?)?;
            device.suspend_without_flush()?;
            device.resume()?;
            // In use: it must be refused, not hang.
            refused += u32::from(program::run("dmsetup", ["remove", device.name()]).is_err());
            device.message("scrub start")?;
            for words in ["status", "stats", "mappings", "sync", "verify_metadata", "scrub stop"] {
                device.message(words).with_context(|| format!("message {words}"))?;
            }
            rounds += 1;
        }
        Ok(())
    });
    drop(in_use);
    checks.good("requests go on beneath suspend, resume, reload, messages and scrubs", played);
    checks.that("the device was changed beneath them", rounds > 0, "it was not");
    checks.eq("a device in use is not removed", refused, rounds);
    Ok(())
}

/// What is known of mappings before and after the set is opened anew.
fn consistent(checks: &Checks, set: &mut OnRam, when: &str) -> Result<()> {
    let sorted = |set: &OnRam| -> Result<Vec<_>> {
        let mut mappings = set::mappings(set.device()?)?;
        mappings.sort_by_key(|mapping| mapping.start);
        Ok(mappings)
    };
    let (before, status) = (sorted(set)?, set.status()?);
    let twice = before.windows(2).filter(|pair| pair[0].start == pair[1].start).count();
    let mut slots: Vec<_> = before.iter().map(|mapping| (mapping.spare, mapping.slot)).collect();
    slots.sort_unstable();
    slots.dedup();
    checks.eq(
        format!("{when}: each block has one slot, each slot one block"),
        (twice, slots.len()),
        (0, before.len()),
    );
    checks.eq(format!("{when}: as many as the status tells"), before.len() as u64, status.used);
    set.again()?;
    let (after, again) = (sorted(set)?, set.status()?);
    checks.that(format!("{when}: mappings are the same after create"), before == after, "they differ");
    checks.eq(format!("{when}: counts too"), (again.used, again.lost), (status.used, status.lost));
    Ok(())
}

/// Bad sectors come while requests run: what is on the disk is lost with them, what is written later is not.
fn growing(checks: &Checks) -> Result<()> {
    let mut load = Load::new(LANES, REGION, 12);
    let mut set = OnRam::new(64, "", |main| load.write_all(&main.path()))?;
    let path = set.device()?.path();
    let mut random = Random::new(13);
    let mut bad: Vec<u64> = (0..600).map(|_| random.below(REGION)).collect();
    bad.sort_unstable();
    bad.dedup();
    // Any of them may be found bad before it is written again.
    load.may_fail(bad.iter().copied());
    load.set_failing(true);
    let played = load.run(&path, 60, |_| {
        for share in 1..=6 {
            let so_far: Vec<_> = bad.iter().copied().filter(|sector| sector % 6 < share).collect();
            set.main().set_bad(&ranges(&so_far))?;
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    });
    load.set_failing(false);
    checks.good("sectors fail beneath requests", played);
    checks.good("nothing but what they held is lost", load.compare(&path));
    consistent(checks, &mut set, "after growth")?;
    checks.good("after growth and create nothing else is", load.compare(&path));
    checks.good("what is written from then on", load.run_alone(&path, 60));
    checks.good("is there", load.compare(&path));
    Ok(())
}

/// fio's own verification.
fn jobs(checks: &Checks) -> Result<()> {
    let set = OnRam::new(64, "", |main| main.set_bad(&ranges(&thirds())))?;
    let path = set.device()?.path();
    let each = format!("{}k", REGION / 2 / LANES);
    let (size, increment) = (format!("size={each}"), format!("offset_increment={each}"));
    let jobs = format!("numjobs={LANES}");
    let options = [
        "rw=randwrite",
        "bsrange=512-64k",
        "blocksize_unaligned=0",
        &size,
        &increment,
        &jobs,
        "thread",
        "group_reporting",
        "iodepth=4",
        "serialize_overlap=1",
        "verify=crc32c",
        "verify_fatal=1",
        "do_verify=1",
        "randseed=14",
    ];
    let report = fio::run(&path, &options)?;
    checks.eq("fio verifies what 64 jobs wrote over bad sectors", report.error, 0);
    ensure!(report.write.total_ios > 0, "fio wrote nothing");
    checks.eq("every block of the region has a slot", set.status()?.used, BLOCKS);
    checks.eq("nothing is lost", set.status()?.lost, 0);
    Ok(())
}
