//! Spares that have bad sectors, fill up, or are gone.

use std::time::Duration;

use anyhow::Result;
use rustix::io::Errno;

use super::{MIB, SEED, moved};
use crate::checks::Checks;
use crate::direct::{Direct, pattern};
use crate::disks::{BadDisk, RamDisks};
use crate::dm::{Device, Table};
use crate::klog::Klog;
use crate::set::{self, BLOCK, Line, Status};

pub fn play(checks: &Checks) -> Result<()> {
    bad_slots(checks)?;
    bad_metadata(checks)?;
    full(checks)?;
    gone(checks)
}

struct Disks {
    main: BadDisk,
    spare: BadDisk,
    _ram: RamDisks,
}

impl Disks {
    fn new() -> Result<Self> {
        let ram = RamDisks::new(2, MIB)?;
        Ok(Self {
            main: BadDisk::new("main", ram.path(0))?,
            spare: BadDisk::new("spare", ram.path(1))?,
            _ram: ram,
        })
    }

    fn line(&self) -> Line {
        Line::new(&self.main.path(), &self.spare.path())
    }
}

/// Slots that cannot be written, and one that cannot be read any more.
fn bad_slots(checks: &Checks) -> Result<()> {
    let disks = Disks::new()?;
    disks.main.set_bad(&[100..101, 200..201])?;
    let device = disks.line().create("set")?;
    let io = Direct::open(&device.path())?;
    io.fill(0..101, SEED)?;
    let slot = moved(&device, &[100])?[0];
    // The next three.
    disks.spare.set_bad(&[slot + BLOCK..slot + 4 * BLOCK])?;
    checks.good("a write finds a slot behind bad ones", io.fill(200..201, SEED));
    let status = Status::of(&device)?;
    checks.eq("the bad ones are retired", (status.used, status.retired, status.lost), (2, 3, 0));
    checks.eq("what was written lies behind them", moved(&device, &[200])?, vec![slot + 4 * BLOCK]);
    checks.good("and can be read", io.verify(200..201, SEED));

    disks.spare.set_bad(&[slot + 4..slot + 5, slot + BLOCK..slot + 4 * BLOCK])?;
    checks.eq("a slot that cannot be read loses its sector", io.read(100, 1).err(), Some(Errno::NODATA));
    checks.eq("which is lost from then on", Status::of(&device)?.lost, 1);
    checks.good("its neighbours are not", io.verify(96..100, SEED));
    checks.good("the next write takes another slot", io.fill(100..101, SEED + 1));
    checks.good("where it can be read", io.verify(100..101, SEED + 1));
    let status = Status::of(&device)?;
    checks.eq("the failed slot is retired", (status.used, status.retired, status.lost), (2, 4, 0));
    drop(io);
    device.remove()?;
    let device = disks.line().create("set")?;
    let io = Direct::open(&device.path())?;
    checks.good("all that is remembered", {
        io.verify(0..100, SEED)
            .and_then(|()| io.verify(100..101, SEED + 1))
            .and_then(|()| io.verify(200..201, SEED))
    });
    let status = Status::of(&device)?;
    checks.eq("with the retired slots", (status.used, status.retired, status.lost), (2, 4, 0));
    drop(io);
    device.remove()
}

/// A superblock copy and a copy of a map page that cannot be written or read.
fn bad_metadata(checks: &Checks) -> Result<()> {
    let disks = Disks::new()?;
    disks.main.set_bad(&[100..101, 200..201])?;
    let device = disks.line().create("set")?;
    Direct::open(&device.path())?.fill(100..101, SEED)?;
    let page = set::pages(&disks.spare.path())?[&0][0];
    disks.spare.set_bad(&[2048..2049, page + 3..page + 4])?;
    checks.good("metadata that fails in one copy is no hindrance", {
        Direct::open(&device.path())?.fill(200..201, SEED)
    });
    let answer = device.message("verify_metadata")?;
    checks.that("it is told", !answer.ends_with("bad 0"), answer);
    checks.that("and counted", Status::of(&device)?.metadata_errors > 0, device.status()?);
    device.remove()?;
    let device = disks.line().create("set")?;
    let io = Direct::open(&device.path())?;
    checks.good("the set opens with it", {
        io.verify(100..101, SEED).and_then(|()| io.verify(200..201, SEED))
    });
    drop(io);
    device.remove()
}

/// No slot is left.
fn full(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(3, MIB)?;
    let main = BadDisk::new("main", ram.path(0))?;
    Direct::open(&main.path())?.fill(0..256, SEED)?;
    main.set_bad(&[100..101])?;
    let device = Line::new(&main.path(), ram.path(1)).window(1024, 9216).create("set")?;
    let slots = Status::of(&device)?.total;
    println!("a spare of {slots} slots");
    device.message(&format!("remap 8192 {}", slots * BLOCK))?;
    let status = Status::of(&device)?;
    checks.eq("every slot can be used", (status.used, status.total), (slots, slots));
    let io = Direct::open(&device.path())?;
    let mut log = Klog::from_now()?;
    checks.that("a write that needs room fails", io.write(100, &pattern(100, 1)).is_err(), "it does not");
    checks.that("the log tells", log.says("no room", Duration::from_secs(1))?, "it does not");
    let answer = device.message("remap 0 8")?;
    checks.that("moving more ahead fails", answer.contains("failed 1"), answer);
    checks.that("the health is critical", Status::of(&device)?.health < 70, device.status()?);
    checks.that("the bad sector still fails", io.read(100, 1).is_err(), "it can be read");
    checks.good(
        "its neighbours can be read",
        io.verify(96..100, SEED).and_then(|()| io.verify(101..104, SEED)),
    );
    checks.good("what lies elsewhere is written and read", {
        io.fill(120..128, SEED + 1).and_then(|()| io.verify(120..128, SEED + 1))
    });
    checks.good("what has moved, too", io.fill(8192..8200, SEED).and_then(|()| io.verify(8192..8200, SEED)));

    let table = device.table()?;
    checks.eq(
        "a spare is added",
        &*device.message(&format!("add_spare {}", ram.path(2).display()))?,
        "spare 2 added",
    );
    checks.good("the write that had no room succeeds", io.fill(100..101, SEED));
    checks.good("and is there", io.verify(96..104, SEED));
    let printed = device.table()?;
    checks.that("the table names the spare", printed.len() > table.len(), &printed);
    drop(io);
    device.remove()?;
    let device = again(&printed)?;
    checks.good("a set made from the printed table is the same", {
        let io = Direct::open(&device.path())?;
        io.verify(0..120, SEED).and_then(|()| io.verify(8192..8200, SEED))
    });
    checks.eq("it prints the same table", device.table()?, printed);
    device.remove()
}

/// A device from a table as it is printed.
pub fn again(printed: &str) -> Result<Device> {
    let mut words = printed.trim().splitn(4, ' ').skip(1);
    let mut next = || words.next().unwrap_or_default();
    let (sectors, target, arguments) = (next().parse()?, next(), next());
    Device::create("again", &Table::new().target(target, sectors, arguments))
}

/// The only spare dies.
fn gone(checks: &Checks) -> Result<()> {
    let disks = Disks::new()?;
    disks.main.set_bad(&[100..101, 200..201, 300..301])?;
    let device = disks.line().create("set")?;
    let io = Direct::open(&device.path())?;
    io.fill(0..201, SEED)?;
    disks.spare.die()?;
    checks.that("what lies on a dead spare fails", io.read(100, 1).is_err(), "it can be read");
    checks.good("all else can be read", io.verify(0..96, SEED).and_then(|()| io.verify(104..192, SEED)));
    checks.good("and written", io.fill(400..416, SEED));
    checks.that("what needs a slot fails", io.write(300, &pattern(300, 1)).is_err(), "it does not");
    let rewritten = io.write(100, &pattern(100, SEED + 1)).is_ok();
    checks.that("what lies there cannot be written", !rewritten, "it is acknowledged");
    drop(io);
    device.remove()?;
    checks.that("without its spare the set does not open", disks.line().create("set").is_err(), "it does");
    disks.spare.set_bad(&[])?;
    let device = disks.line().create("set")?;
    let io = Direct::open(&device.path())?;
    checks.good("with it, everything is there", {
        io.verify(0..100, SEED)
            .and_then(|()| io.verify(101..201, SEED))
            .and_then(|()| io.verify(400..416, SEED))
    });
    // The write that failed may have left the new bytes or the old ones.
    let found = io.read(100, 1);
    let known = [SEED, SEED + 1].map(|seed| Ok(pattern(100, seed)));
    checks.that(
        "and the sector whose write failed",
        known.contains(&found),
        format!("{:?}", found.map(drop)),
    );
    drop(io);
    device.remove()
}
