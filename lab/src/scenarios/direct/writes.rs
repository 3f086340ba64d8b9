//! Writes over bad sectors succeed at once and are there whatever is done to the device.

use std::time::Duration;

use anyhow::Result;

use crate::checks::Checks;
use crate::direct::Direct;
use crate::klog::Klog;
use crate::mirror::Mirror;
use crate::scenarios::on_ram::{OnRam, ranges};

/// Where users of dm-remap put them.
const BAD: [u64; 5] = [100, 101, 200, 300, 400];
/// What is compared.
const SECTORS: u64 = 4096;

pub fn play(checks: &Checks) -> Result<()> {
    let mut mirror = Mirror::new(SECTORS, 1);
    // A disk that is in use already: it is taken over as it is, bad sectors and all.
    let mut set = OnRam::new(32, "", |main| {
        mirror.write_all(&Direct::open(&main.path())?)?;
        main.set_bad(&ranges(&BAD))
    })?;
    let io = set.io()?;
    checks.good("what a disk held is there through the set", mirror.compare_range(&io, 0..96, 8));
    let status = set.status()?;
    checks.eq("a new set has moved nothing", (&*status.state, status.used, status.health), ("ok", 0, 100));

    // The kernel's log takes only so many lines of a kind in five seconds, and others were here before.
    std::thread::sleep(Duration::from_secs(6));
    let mut log = Klog::from_now()?;
    for sector in BAD {
        checks.good(
            format!("a write of bad sector {sector} alone succeeds and reads back"),
            mirror
                .write(&io, sector..sector + 1)
                .and_then(|()| mirror.compare_range(&io, sector..sector + 1, 1)),
        );
    }
    checks.that(
        "the kernel's log tells of moves",
        log.says("moved to a spare", Duration::from_secs(5))?,
        "not",
    );
    checks.good("neighbours of single sectors hold what they held", mirror.compare(&io));
    let status = set.status()?;
    checks.eq("four blocks have slots", (status.used, status.lost), (4, 0));
    checks.eq("each failed write is counted", set.count("main_write_errors")?, 5);

    for sector in BAD {
        let block = sector & !7;
        checks.good(
            format!("a write of 4 KiB at {block} succeeds and reads back"),
            mirror.write(&io, block..block + 8).and_then(|()| mirror.compare_range(&io, block..block + 8, 8)),
        );
    }
    for (start, end) in [(0, 2048), (95, 2143), (99, 102), (101, 301)] {
        checks.good(
            format!("one write of sectors {start} to {end} succeeds and reads back"),
            mirror.write(&io, start..end).and_then(|()| mirror.compare(&io)),
        );
    }
    // The same blocks again, now with a new bad sector in a block that has a slot, and one in a fresh block.
    set.main().set_bad(&ranges(&[100, 101, 103, 200, 300, 400, 1000]))?;
    checks.good(
        "a large write over old and new bad sectors succeeds",
        mirror.write(&io, 64..1100).and_then(|()| mirror.compare(&io)),
    );
    checks.eq("moved blocks keep their slots", set.status()?.used, 5);
    drop(io);
    carried_over(checks, &mut set, &mut mirror)
}

/// What was moved stays moved, and the next writes find it.
fn carried_over(checks: &Checks, set: &mut OnRam, mirror: &mut Mirror) -> Result<()> {
    let check = |set: &OnRam, mirror: &mut Mirror, what: &str| -> Result<()> {
        let io = set.io()?;
        checks.good(format!("{what}: everything is there"), mirror.compare(&io));
        let written = mirror.write(&io, 99..102).and_then(|()| mirror.write(&io, 196..204));
        checks.good(format!("{what}: and can be written"), written.and_then(|()| mirror.compare(&io)));
        checks.eq(format!("{what}: the slots are the same"), set.status()?.used, 5);
        Ok(())
    };
    let before = set.status()?;
    set.device()?.suspend()?;
    set.device()?.resume()?;
    check(set, mirror, "after suspend and resume")?;
    for round in 1..=2 {
        set.device()?.load(&set.table()?)?;
        let io = set.io()?;
        checks.good(
            format!("a table is loaded beneath requests ({round})"),
            mirror.compare_range(&io, 0..512, 8),
        );
        drop(io);
        set.device()?.suspend()?;
        set.device()?.resume()?;
        check(set, mirror, &format!("after reload {round}"))?;
    }
    set.device()?.load(&set.table()?)?;
    crate::program::run("dmsetup", ["clear", set.device()?.name()])?;
    check(set, mirror, "after a table that was loaded and cleared")?;
    for round in 1..=3 {
        set.again()?;
        check(set, mirror, &format!("after remove and create {round}"))?;
    }
    // What the main device holds below its bad sectors is not what is served.
    set.main().set_bad(&[])?;
    check(set, mirror, "after the main device answers again")?;
    set.again()?;
    check(set, mirror, "after the main device answers again and create")?;
    let after = set.status()?;
    checks.that(
        "generations go on with every opening",
        after.generation > before.generation,
        format!("{} after {}", after.generation, before.generation),
    );
    Ok(())
}
