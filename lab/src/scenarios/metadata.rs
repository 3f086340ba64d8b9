//! What lies on a spare may be damaged: what is left of it is enough, or is refused. What is refused is left as
//! it was, byte for byte.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;

use crate::checks::Checks;
use crate::direct::{Direct, pattern};
use crate::disks::{BadDisk, RamDisks};
use crate::dm::{Device, Table};
use crate::klog::Klog;
use crate::scenario::{Next, Scenario, Step};
use crate::set::{self, Damage, Line, Mapping, SUPERBLOCKS, Status};

mod refusals;

pub const SCENARIO: Scenario = Scenario {
    name: "metadata",
    about: "damaged metadata is repaired or refused, and nothing refused is written to",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    limit_seconds: 720,
    ..Scenario::USUAL
};

/// Size of each disk.
const MIB: u64 = 16;
/// Bad sectors of the main disk: one block each but for the last two.
const BAD: [std::ops::Range<u64>; 4] = [100..101, 2000..2003, 4100..4101, 9000..9012];
/// Sectors that are moved before they fail: enough blocks for several map pages.
const AHEAD: std::ops::Range<u64> = 12288..12288 + 600 * set::BLOCK;
/// The patterns are told apart by these.
const SEED: u64 = 11;
/// Sectors that are lost: they fail only after they were written, and nobody writes them again.
const LOST: std::ops::Range<u64> = 6000..6001;

/// Three RAM disks, the first of them with bad sectors.
struct Disks {
    main: BadDisk,
    ram: RamDisks,
}

impl Disks {
    fn new() -> Result<Self> {
        let ram = RamDisks::new(4, MIB)?;
        Ok(Self { main: BadDisk::new("main", ram.path(0))?, ram })
    }

    fn spare(&self) -> &Path {
        self.ram.path(1)
    }

    fn other(&self) -> &Path {
        self.ram.path(2)
    }

    fn line(&self) -> Line {
        Line::new(&self.main.path(), self.spare())
    }

    /// The disks of the set: the main one beneath its bad sectors, and the spare.
    fn members(&self) -> [&Path; 2] {
        [self.ram.path(0), self.spare()]
    }
}

/// What a sound set answers: every sector that was written, and an error for the lost one.
fn verify(device: &Device) -> Result<()> {
    let io = Direct::open(&device.path())?;
    for range in BAD.iter().cloned().chain([AHEAD, 0..100, 5992..6000, 6001..6008]) {
        io.verify(range, SEED)?;
    }
    ensure!(io.read(LOST.start, 1) == Err(Errno::NODATA), "a lost sector can be read");
    Ok(())
}

fn play(checks: &Checks) -> Result<Next> {
    let disks = Disks::new()?;
    let mappings = make(checks, &disks)?;
    some_copies(checks, &disks)?;
    while_running(checks, &disks)?;
    all_copies(checks, &disks, &mappings)?;
    refusals::play(checks, &disks)?;
    Ok(Next::Done)
}

/// Makes a set with blocks of every kind, and closes it.
fn make(checks: &Checks, disks: &Disks) -> Result<Vec<Mapping>> {
    let io = Direct::open(&disks.main.path())?;
    for range in [0..100, 5992..6008, AHEAD] {
        io.fill(range, SEED)?;
    }
    let mut bad = BAD.to_vec();
    bad.insert(3, LOST);
    disks.main.set_bad(&bad)?;
    let device = disks.line().create("set")?;
    device.message(&format!("remap {} {}", AHEAD.start, AHEAD.end - AHEAD.start))?;
    let io = Direct::open(&device.path())?;
    for range in BAD {
        io.fill(range, SEED)?;
    }
    ensure!(io.read(LOST.start, 1).is_err(), "a bad sector can be read");
    checks.good("a set with moved and lost sectors answers", verify(&device));
    let status = Status::of(&device)?;
    checks.eq("its status counts them", (status.used, status.lost, status.retired), (606, 1, 0));
    let mappings = set::mappings(&device)?;
    checks.eq("it tells where they are", mappings.len(), 606);
    drop(io);
    device.remove()?;
    Ok(mappings)
}

/// Two of five superblock copies, and one copy of each map page.
fn some_copies(checks: &Checks, disks: &Disks) -> Result<()> {
    let pages = set::pages(disks.spare())?;
    for &at in [&SUPERBLOCKS[..2], &SUPERBLOCKS[3..]].concat().iter().take(2) {
        Damage::to(disks.spare(), at)?;
    }
    for (index, copies) in &pages {
        ensure!(copies.len() == 3, "page {index} has {} copies", copies.len());
        Damage::to(disks.spare(), copies[*index as usize % 3])?;
    }
    let mut log = Klog::from_now()?;
    let device = disks.line().create("set")?;
    checks.good("two superblock copies and one of each page may be damaged", verify(&device));
    let answer = device.message("verify_metadata")?;
    checks.that("afterwards no copy is bad", answer.ends_with("bad 0"), &answer);
    let status = Status::of(&device)?;
    checks.eq("nothing is lost by it", (status.used, status.lost), (606, 1));
    let told = log.says("damaged and is repaired", Duration::ZERO)? || !answer.contains("repaired 0");
    checks.that("that copies were repaired is told", told, answer);
    device.remove()?;
    checks.good("all superblock copies are there again", superblocks(disks.spare()));
    checks.good("all copies of pages are there again", same_pages(&pages, disks.spare()));
    Ok(())
}

/// Copies that rot while the set runs.
fn while_running(checks: &Checks, disks: &Disks) -> Result<()> {
    let pages = set::pages(disks.spare())?;
    let device = disks.line().create("set")?;
    let mut log = Klog::from_now()?;
    for copies in pages.values().take(2) {
        Damage::to(disks.spare(), copies[1])?;
        Damage::to(disks.spare(), copies[2])?;
    }
    let answer = device.message("verify_metadata")?;
    checks.that("verify_metadata repairs a running set", answer.contains("repaired 4 bad 0"), answer);
    checks.that("and tells", log.says("damaged and is repaired", Duration::from_secs(2))?, "it does not");
    // The pages in memory count: with all copies gone, they are written anew.
    for &at in &pages[&0] {
        Damage::to(disks.spare(), at)?;
    }
    let answer = device.message("verify_metadata")?;
    checks.that("even from no copy at all", answer.ends_with("bad 0"), answer);
    checks.good("and answers as before", verify(&device));
    device.remove()?;
    checks.good("all copies of pages are on the spare", same_pages(&pages, disks.spare()));
    let device = disks.line().create("set")?;
    checks.good("the set opens as before", verify(&device));
    device.remove()
}

/// Every copy of one page.
fn all_copies(checks: &Checks, disks: &Disks, mappings: &[Mapping]) -> Result<()> {
    let pages = set::pages(disks.spare())?;
    let damages = pages[&1].iter().map(|&at| Damage::to(disks.spare(), at)).collect::<Result<Vec<_>>>()?;
    unchanged(checks, "a page without a copy", &disks.members(), || {
        refused(checks, "a page without a copy is refused", "accept_lost_pages", &disks.line().table()?)?;
        without_a_page(checks, disks, mappings)
    })?;
    damages.iter().try_for_each(Damage::undo)?;
    let device = disks.line().create("set")?;
    checks.good("with its copies back, the set is whole", verify(&device));
    device.remove()
}

/// What can be read of a set without one of its pages.
fn without_a_page(checks: &Checks, disks: &Disks, mappings: &[Mapping]) -> Result<()> {
    let line = disks.line().option("read_only").option("accept_lost_pages");
    let device = line.create("set")?;
    checks.eq("on request the rest can be read", Status::of(&device)?.state, "read-only".to_owned());
    let io = Direct::open(&device.path())?;
    let kept = set::mappings(&device)?;
    let lost = mappings.iter().filter(|mapping| !kept.contains(mapping)).count();
    checks.eq("it knows all mappings but those of the page", (kept.len(), lost), (606 - 252, 252));
    let still: Vec<u64> = kept
        .iter()
        .filter(|mapping| mapping.lost == 0 && AHEAD.contains(&mapping.start))
        .map(|m| m.start)
        .collect();
    let read = still.iter().try_for_each(|&start| io.verify(start..start + set::BLOCK, SEED));
    checks.good(format!("{} blocks of other pages can be read", still.len()), read);
    checks.good("so can what never moved", io.verify(0..96, SEED));
    checks.that("nothing can be written", io.write(0, &pattern(0, 1)).is_err(), "it can");
    let moved = kept.first().context("no mapping")?.start;
    checks.that("nor to a slot", io.write(moved, &pattern(moved, 1)).is_err(), "it can");
    drop(io);
    device.remove()
}

/// Whether each superblock copy has at least its mark.
fn superblocks(spare: &Path) -> Result<()> {
    let io = Direct::open(spare)?;
    let first = io.read(0, 8)?;
    for at in SUPERBLOCKS {
        ensure!(io.read(at, 8)? == first && first.starts_with(b"dmREMAP1"), "not the one at {at}");
    }
    Ok(())
}

/// Whether the pages lie where they lay, and the copies of each are the same.
fn same_pages(wanted: &std::collections::BTreeMap<u32, Vec<u64>>, spare: &Path) -> Result<()> {
    ensure!(set::pages(spare)? == *wanted, "they lie elsewhere");
    let io = Direct::open(spare)?;
    for (index, copies) in wanted {
        // Of a copy that was written anew the age is another: 8 bytes at 16, and the checksum.
        let records = |at: u64| io.read(at, 8).map(|page| page[24..].to_vec());
        let first = records(copies[0])?;
        for &copy in copies {
            ensure!(records(copy)? == first, "copies of page {index} differ");
        }
    }
    Ok(())
}

/// Tries a table that must be refused with a line of the kernel's log that contains `reason`.
fn refused(checks: &Checks, what: &str, reason: &str, table: &Table) -> Result<()> {
    let mut log = Klog::from_now()?;
    match Device::create("refused", table) {
        Ok(device) => {
            device.remove()?;
            checks.failed(what, format!("{table} is taken"));
        }
        Err(_) => checks.that(
            format!("{what}: {reason}"),
            log.says(reason, Duration::from_secs(1))?,
            log.lines()?.join(" / "),
        ),
    }
    Ok(())
}

/// Looks at whether anything on `disks` is changed by what `during` does.
fn unchanged(
    checks: &Checks,
    what: &str,
    disks: &[&Path],
    during: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let digests = || disks.iter().map(|disk| set::digest(disk)).collect::<Result<Vec<_>>>();
    let before = digests()?;
    during()?;
    checks.that(format!("{what}: the disks are as before"), digests()? == before, "they are not");
    Ok(())
}
