//! The least that the kernel target must do: it loads, carries a sector that fails, remembers it, and goes.

use anyhow::Result;

use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{BadDisk, RamDisks};
use crate::dm::{Device, Table};
use crate::program;
use crate::scenario::{Next, Scenario, Step};

pub const SCENARIO: Scenario = Scenario {
    name: "smoke",
    about: "the target carries a sector that its main device cannot store",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    ..Scenario::USUAL
};

fn play(checks: &Checks) -> Result<Next> {
    let targets = program::run("dmsetup", ["targets"])?;
    checks.that("the target is there", targets.lines().any(|line| line.starts_with("remap ")), &targets);
    let ram = RamDisks::new(2, 16)?;
    let main = BadDisk::new("main", ram.path(0))?;
    let arguments = format!("{} {}", main.path().display(), ram.path(1).display());
    let table = Table::new().target("remap", main.sectors(), &arguments);
    let device = Device::create("set", &table)?;
    let io = Direct::open(&device.path())?;
    io.fill(0..32, 1)?;
    checks.good("a healthy set stores what is written", io.verify(0..32, 1));

    main.set_bad(&[8..10])?;
    checks.that("a sector that main lost fails", io.read(8, 1).is_err(), "it is read");
    checks.good("it can be written again", io.fill(8..10, 2));
    checks.good("and holds what was written", io.verify(8..10, 2));
    checks.good("its neighbours hold what they held", io.verify(0..8, 1).and_then(|()| io.verify(10..32, 1)));

    drop(io);
    device.remove()?;
    let device = Device::create("set", &table)?;
    let io = Direct::open(&device.path())?;
    checks.good("a set that is opened again knows what it carries", io.verify(8..10, 2));
    drop(io);
    checks.good("a set is removed", device.remove());
    Ok(Next::Done)
}
