//! A broken invariant stops the sets, never the machine.

use std::time::Duration;

use anyhow::Result;
use rustix::io::Errno;

use crate::checks::Checks;
use crate::direct::{Direct, pattern};
use crate::disks::{BadDisk, RamDisks};
use crate::dm::{Device, Table};
use crate::klog::Klog;
use crate::program;
use crate::scenario::{Next, Scenario, Step};

pub const SCENARIO: Scenario = Scenario {
    name: "halt",
    about: "a broken invariant fails every request of every set, and the machine goes on",
    steps: &[Step { name: "all", play }],
    own_boot: true,
    needs_target: true,
    keeps_module: true,
    ..Scenario::USUAL
};

fn play(checks: &Checks) -> Result<Next> {
    let ram = RamDisks::new(2, 16)?;
    let bad = BadDisk::new("main", ram.path(0))?;
    let line = format!("{} {}", bad.path().display(), ram.path(1).display());
    let device = Device::create("set", &Table::new().target("remap", bad.sectors(), &line))?;
    let io = Direct::open(&device.path())?;
    io.fill(0..64, 1)?;
    checks.that(
        "nobody breaks an invariant who was not allowed to",
        device.message("break_invariant").is_err(),
        "the message is taken",
    );
    std::fs::write("/sys/module/dm_remap/parameters/allow_break", "1")?;
    device.message("break_invariant")?;
    bad.set_bad(&[8..9])?;
    let mut log = Klog::from_now()?;
    checks.eq("the write that meets it fails", io.write(8, &pattern(8, 2)), Err(Errno::IO));
    let told = log.says("broken invariant", Duration::from_secs(5))?;
    checks.that("the kernel's log tells where", told, "it does not");
    checks.eq("later writes fail", io.write(0, &pattern(0, 2)), Err(Errno::IO));
    checks.eq("later reads fail", io.read(32, 1).err(), Some(Errno::IO));
    checks.eq("the status says so", device.status()?.split(' ').nth(3), Some("halted"));
    let health =
        program::command(&program::dm_remap()?.display().to_string()).args(["health", "set"]).output()?;
    let said = String::from_utf8_lossy(&health.stdout).into_owned();
    checks.that(
        "monitoring plugins are told that it is critical",
        health.status.code() == Some(2) && said.contains("CRITICAL") && said.contains("halted"),
        format!("{:?} {said}", health.status),
    );
    drop(io);
    checks.good("the device can be removed", device.remove());
    let main = Direct::open(ram.path(0))?;
    checks.good("nothing was written after it", main.verify(0..64, 1));
    let again = Device::create("again", &Table::new().target("remap", bad.sectors(), &line))?;
    let io = Direct::open(&again.path())?;
    checks.eq("the set is opened anew from what lies on its disks", io.write(8, &pattern(8, 1)), Ok(()));
    checks.good("with everything that was written before", io.verify(0..64, 1));
    Ok(Next::Done)
}
