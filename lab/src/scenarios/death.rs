//! Whole disks die, spares fail and fill up: nothing acknowledged is lost, no slot is wasted, and what comes back
//! is taken up again.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;

use crate::checks::Checks;
use crate::direct::{Direct, pattern};
use crate::disks::{BadDisk, RamDisks, ScsiDebug};
use crate::klog::Klog;
use crate::scenario::{Next, Scenario, Step};
use crate::set::{self, BLOCK, Line, Status};

mod pool;
mod spare;

pub const SCENARIO: Scenario = Scenario {
    name: "death",
    about: "disks that die, come back or fill up cost no acknowledged byte and no slot",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    limit_seconds: 900,
    ..Scenario::USUAL
};

/// Size of each disk.
const MIB: u64 = 16;
/// The patterns are told apart by these.
const SEED: u64 = 21;
/// How often at most a failing disk is asked, and a bit.
const PROBE: Duration = Duration::from_millis(1200);

fn play(checks: &Checks) -> Result<Next> {
    dead_main(checks)?;
    born_dead(checks)?;
    scsi_offline(checks)?;
    spare::play(checks)?;
    pool::play(checks)?;
    Ok(Next::Done)
}

/// All of the main disk fails, comes back, fails again.
fn dead_main(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(2, MIB)?;
    let main = BadDisk::new("main", ram.path(0))?;
    Direct::open(&main.path())?.fill(0..512, SEED)?;
    main.set_bad(&[100..101])?;
    let device = Line::new(&main.path(), ram.path(1)).create("set")?;
    let io = Direct::open(&device.path())?;
    io.fill(100..101, SEED)?;
    let before = Status::of(&device)?;
    let mut log = Klog::from_now()?;

    main.die()?;
    let dead: Vec<_> = (200..220).map(|sector| (sector, Errno::IO)).collect();
    checks.eq("a dead main disk's errors pass through", io.unreadable(200..220), dead);
    checks.that("writes fail, too", io.write(200, &pattern(200, 1)).is_err(), "they do not");
    checks.that("and large ones", io.write(1024, &vec![0; 512 * 1024]).is_err(), "they do not");
    checks.good("what had moved is still there", io.verify(100..101, SEED));
    checks.eq("what had moved can be written", io.write(100, &pattern(100, SEED)), Ok(()));
    let status = Status::of(&device)?;
    checks.eq("the state is failing", &*status.state, "failing");
    checks.eq(
        "no slot is used, nothing is lost",
        (status.used, status.lost, status.retired),
        (before.used, 0, 0),
    );
    checks.that("the log tells", log.says("answers nowhere", Duration::from_secs(1))?, "it does not");

    // Two bad sectors more than before.
    main.set_bad(&[100..101, 300..301, 310..311])?;
    checks.good("a disk that comes back is as it was", {
        io.verify(0..300, SEED).and_then(|()| io.verify(320..512, SEED))
    });
    sleep(PROBE);
    checks.eq("the next bad sector is moved", io.write(300, &pattern(300, SEED)), Ok(()));
    let status = Status::of(&device)?;
    checks.that("the state is no longer failing", status.state != "failing", &status.state);
    checks.eq("one slot more is used", status.used, before.used + 1);
    checks.that("the log tells of it", log.says("answers again", Duration::from_secs(1))?, "it does not");

    main.die()?;
    ensure!(io.read(400, 1).is_err(), "a dead disk can be read");
    sleep(PROBE);
    ensure!(io.read(401, 1).is_err(), "a dead disk can be read");
    checks.eq("it fails again", Status::of(&device)?.state, "failing".to_owned());
    device.message("resume")?;
    checks.that("a dead disk is not believed for long", io.read(402, 1).is_err(), "it can be read");
    let status = Status::of(&device)?;
    checks.eq("resume does not waste slots on it", (status.used, status.lost), (before.used + 1, 0));
    main.set_bad(&[100..101, 300..301, 310..311])?;
    device.message("resume")?;
    let state = Status::of(&device)?.state;
    checks.that("after resume, it is not failing", state != "failing", &state);
    checks.eq("a bad sector is moved at once", io.write(310, &pattern(310, SEED)), Ok(()));
    checks.good("all is as it was written", io.verify(0..512, SEED));
    drop(io);
    device.remove()
}

/// A set is opened while its main disk does not answer.
fn born_dead(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(2, MIB)?;
    let main = BadDisk::new("main", ram.path(0))?;
    let line = Line::new(&main.path(), ram.path(1));
    main.set_bad(&[64..65])?;
    let device = line.create("set")?;
    Direct::open(&device.path())?.fill(0..128, SEED)?;
    device.remove()?;
    main.die()?;
    let device = line.create("set")?;
    let io = Direct::open(&device.path())?;
    checks.eq("a set opens over a dead main disk", Status::of(&device)?.state, "failing".to_owned());
    checks.good("what had moved is there", io.verify(64..65, SEED));
    checks.that("all else fails", io.read(0, 1).is_err(), "it can be read");
    main.set_bad(&[64..65])?;
    checks.eq("asked, the disk answers again", &*device.message("probe")?, "the main device answers");
    let status = Status::of(&device)?;
    checks.that("the set goes on", status.state == "ok" && status.used == 1, format!("{status:?}"));
    checks.good("with all that was written", io.verify(0..128, SEED));
    drop(io);
    device.remove()
}

/// A disk that the SCSI layer has given up.
fn scsi_offline(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(1, MIB)?;
    let disk = ScsiDebug::new(MIB, 4000..4008)?;
    let device = Line::new(disk.path(), ram.path(0)).create("set")?;
    let io = Direct::open(&device.path())?;
    io.fill(0..64, SEED)?;
    let lost = io.unreadable(3996..4012);
    let bad: Vec<_> = (4000..4008).map(|sector| (sector, Errno::NODATA)).collect();
    checks.eq("medium errors of a SCSI disk are lost sectors", lost, bad);
    checks.good("they are healed by writing", io.fill(4000..4008, SEED));
    let before = Status::of(&device)?;
    checks.eq("and lie on the spare then", (before.used, before.lost), (1, 0));

    disk.set_state("offline")?;
    checks.eq("a disk that is offline fails", io.unreadable(0..16).len(), 16);
    checks.that("for writes, too", io.write(0, &pattern(0, 1)).is_err(), "it does not");
    checks.good("what had moved is there", io.verify(4000..4008, SEED));
    let status = Status::of(&device)?;
    checks.eq("no slot is used", (status.used, status.lost), (before.used, before.lost));
    checks.eq("the state is failing", &*status.state, "failing");
    disk.set_state("running")?;
    device.message("probe")?;
    checks.eq("running again, it is well", Status::of(&device)?.state, before.state);
    checks.good("and holds what was written", io.verify(0..64, SEED));
    drop(io);
    device.remove()
}

/// A set whose blocks at `bad` have moved, in the order of `bad`, with the first sectors of their slots.
fn moved(device: &crate::dm::Device, bad: &[u64]) -> Result<Vec<u64>> {
    let mappings = set::mappings(device)?;
    let slot = |sector: &u64| {
        let mapping = mappings.iter().find(|mapping| mapping.start == sector / BLOCK * BLOCK);
        mapping.map(|mapping| mapping.slot).with_context(|| format!("sector {sector} has not moved"))
    };
    bad.iter().map(slot).collect()
}
