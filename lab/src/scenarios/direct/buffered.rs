//! Requests through the kernel's cache, which reads and writes whole pages.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use rustix::io::Errno;

use crate::checks::Checks;
use crate::direct::{Direct, SECTOR_BYTES};
use crate::guest;
use crate::mirror::Mirror;
use crate::scenarios::on_ram::{OnRam, figure, ranges};

const BAD: [u64; 5] = [100, 101, 200, 300, 400];
const SECTORS: u64 = 2048;

pub fn play(checks: &Checks) -> Result<()> {
    let mut mirror = Mirror::new(SECTORS, 4);
    let mut set = OnRam::new(32, "", |main| {
        mirror.write_all(&Direct::open(&main.path())?)?;
        main.set_bad(&ranges(&BAD))
    })?;
    let path = set.device()?.path();
    let open = || OpenOptions::new().read(true).write(true).open(&path).context("opening the set");
    let at = |sector: u64| sector * SECTOR_BYTES as u64;

    let file = open()?;
    let mut sector = [0; SECTOR_BYTES];
    let refused = file.write_at(&[1; SECTOR_BYTES], at(200)).err().and_then(|error| error.raw_os_error());
    checks.eq(
        "a buffered write of one sector over a page that cannot be read is told",
        refused,
        Some(Errno::IO.raw_os_error()),
    );
    let answer = set.device()?.message("accept_loss 200")?;
    checks.eq("its loss is accepted", (figure(&answer, "blocks")?, figure(&answer, "failed")?), (1, 0));
    mirror.zero(200..201);
    let bytes = mirror.change(201..202).to_vec();
    checks.good("then it succeeds", Ok(file.write_at(&bytes, at(201))?));
    checks.good("and is written back", Ok(file.sync_all()?));
    drop(file);
    guest::drop_caches()?;
    let io = set.io()?;
    checks.good("and is there", mirror.compare_range(&io, 192..216, 8));

    // Whole pages need no reading: they heal what is beneath.
    let file = open()?;
    for range in [96..104, 296..304, 400..408, 1000..1200] {
        let bytes = mirror.change(range.clone()).to_vec();
        file.write_all_at(&bytes, at(range.start))?;
    }
    checks.good("buffered writes of pages over bad sectors reach the set", Ok(file.sync_all()?));
    drop(file);
    guest::drop_caches()?;
    checks.good("and are there", mirror.compare(&io));
    drop(io);
    set.again()?;
    guest::drop_caches()?;
    let file = open()?;
    let mut all = vec![0; SECTORS as usize * SECTOR_BYTES];
    file.read_exact_at(&mut all, 0)?;
    checks.that("after create they are read through the cache", all == mirror.of(0..SECTORS), "other bytes");
    checks.good("a single sector, too", Ok(file.read_exact_at(&mut sector, at(100))?));
    checks.that("and is the right one", sector == mirror.of(100..101), "other bytes");
    Ok(())
}
