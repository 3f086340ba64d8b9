//! Reads of what cannot be read fail alone, are remembered, and are healed by the first write.

use anyhow::Result;
use rustix::io::Errno;

use crate::checks::Checks;
use crate::direct::Direct;
use crate::mirror::Mirror;
use crate::scenarios::on_ram::{OnRam, ranges};

/// Two in one block, one alone, and a run over the border of two blocks.
const LOST: [u64; 7] = [1000, 1003, 1200, 1302, 1303, 1304, 1305];
const SECTORS: u64 = 2048;

pub fn play(checks: &Checks) -> Result<()> {
    lost(checks)?;
    zeros(checks)
}

fn lost(checks: &Checks) -> Result<()> {
    let mut mirror = Mirror::new(SECTORS, 2);
    let mut set = OnRam::new(32, "", |main| {
        mirror.write_all(&Direct::open(&main.path())?)?;
        main.set_bad(&ranges(&LOST))
    })?;
    let io = set.io()?;
    let wanted: Vec<_> = LOST.map(|sector| (sector, Errno::NODATA)).into();
    checks.eq("a large read over unreadable sectors fails", io.read(0, 2048).err(), Some(Errno::NODATA));
    checks.eq("exactly the unreadable sectors fail", io.unreadable(990..1320), wanted.clone());
    checks.eq("a block with one fails as a whole", io.read(1200, 8).err(), Some(Errno::NODATA));
    checks.eq("they are counted as lost", set.status()?.lost, LOST.len() as u64);
    checks.that("that is a warning", set.status()?.health < 90, set.status()?.health);
    good_around(checks, &mirror, &io, "neighbours are served", &LOST);

    // Their neighbours were carried off: the bad area may grow, or answer again with something old.
    set.main().set_bad(&[1000..1008, 1200..1208, 1296..1312])?;
    checks.eq("neighbours of lost sectors were salvaged", io.unreadable(990..1320), wanted.clone());
    set.main().set_bad(&[])?;
    checks.eq("lost stays lost while nobody asks for more", io.unreadable(990..1320), wanted.clone());
    drop(io);
    set.again()?;
    let io = set.io()?;
    checks.eq("and after create", io.unreadable(990..1320), wanted);
    good_around(checks, &mirror, &io, "neighbours are served after create", &LOST);

    mirror.write(&io, 1000..1001)?;
    checks.eq("the first write heals a sector", io.unreadable(996..1004), vec![(1003, Errno::NODATA)]);
    mirror.write(&io, 1003..1004)?;
    mirror.write(&io, 1200..1208)?;
    mirror.write(&io, 1250..1400)?;
    checks.good("and is what is read from then on", mirror.compare(&io));
    checks.eq("nothing is lost any more", set.status()?.lost, 0);
    drop(io);
    set.again()?;
    checks.good("healed sectors are there after create", mirror.compare(&set.io()?));
    Ok(())
}

/// Checks all but the sectors of `lost`.
fn good_around(checks: &Checks, mirror: &Mirror, io: &Direct, what: &str, lost: &[u64]) {
    let mut at = 0;
    for end in lost.iter().copied().chain([mirror.sectors()]) {
        if at < end
            && let Err(error) = mirror.compare_range(io, at..end, 8)
        {
            checks.failed(what, format!("{error:#}"));
            return;
        }
        at = end + 1;
    }
    checks.ok(what);
}

/// Whom zeros are better for than errors.
fn zeros(checks: &Checks) -> Result<()> {
    let mut mirror = Mirror::new(SECTORS, 3);
    let mut set = OnRam::new(32, "on_lost zero", |main| {
        mirror.write_all(&Direct::open(&main.path())?)?;
        main.set_bad(&ranges(&LOST))
    })?;
    for sector in LOST {
        mirror.zero(sector..sector + 1);
    }
    let io = set.io()?;
    let found = io.read(1200, 1);
    let is_zero = found.as_ref().is_ok_and(|bytes| bytes.iter().all(|&byte| byte == 0));
    let why = found.err().map_or("other bytes".to_owned(), |error| error.to_string());
    checks.that("on_lost zero: the very read that finds a lost sector gives zeros", is_zero, why);
    checks.good("on_lost zero: so does a large one, with all else as it was", mirror.compare(&io));
    checks.eq("on_lost zero: it is known what is lost", set.status()?.lost, LOST.len() as u64);
    checks.that("on_lost zero: stands in the table", set.device()?.table()?.contains("on_lost zero"), "not");
    drop(io);
    set.again()?;
    checks.good("on_lost zero: after create, too", mirror.compare(&set.io()?));
    let io = set.io()?;
    checks.good(
        "on_lost zero: a write heals",
        mirror.write(&io, 1200..1201).and_then(|()| mirror.compare(&io)),
    );
    Ok(())
}
