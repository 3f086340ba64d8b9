//! Mirrors of sets, and sets on mirrors.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::{TwoSets, scattered};
use crate::checks::Checks;
use crate::disks::{BadDisk, RamDisks};
use crate::guest;
use crate::load::Load;
use crate::program;
use crate::scenarios::on_ram::ranges;
use crate::set::{Line, Status};

const MIRROR: &str = "/dev/md127";
const SYSFS: &str = "/sys/block/md127/md";
/// 16 MiB are written.
const SECTORS: u64 = 32_768;

/// A mirror that is stopped when it goes out of scope.
struct Mirror {
    node: &'static Path,
    sysfs: &'static Path,
}

impl Mirror {
    fn create(members: [&Path; 2], synced: bool) -> Result<Self> {
        guest::load("raid1", &[])?;
        let words =
            ["--create", MIRROR, "--run", "--level=1", "--metadata=1.2", "--bitmap=none", "--raid-devices=2"];
        let synced = synced.then_some("--assume-clean");
        let members = members.map(|path| path.display().to_string());
        program::run("mdadm", words.into_iter().chain(synced).chain(members.iter().map(String::as_str)))?;
        Ok(Self::running())
    }

    fn assemble(members: [&Path; 2]) -> Result<Self> {
        let members = members.map(|path| path.display().to_string());
        program::run("mdadm", ["--assemble", MIRROR, "--run", &members[0], &members[1]])?;
        Ok(Self::running())
    }

    fn running() -> Self {
        Self { node: Path::new(MIRROR), sysfs: Path::new(SYSFS) }
    }

    fn path(&self) -> &Path {
        self.node
    }

    fn read(&self, file: &str) -> Result<String> {
        Ok(fs::read_to_string(self.sysfs.join(file))?.trim().to_owned())
    }

    /// Until nothing is copied or compared any more.
    fn wait(&self) -> Result<()> {
        // Ten seconds are too few for an emulated processor.
        let wait = || {
            guest::eventually("the mirror is idle", || {
                let action = self.read("sync_action")?;
                ensure!(action == "idle", "{action}");
                Ok(())
            })
        };
        (0..3).find_map(|_| wait().ok()).map_or_else(wait, Ok)
    }

    fn stop(self) -> Result<()> {
        std::mem::forget(self);
        program::run("mdadm", ["--stop", MIRROR]).map(drop)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        if let Err(error) = program::run("mdadm", ["--stop", MIRROR]) {
            println!("{MIRROR} stays behind: {error:#}");
        }
    }
}

pub fn above(checks: &Checks) -> Result<()> {
    let mut sets = TwoSets::new(40)?;
    sets.bad[0].set_bad(&scattered(sets.bad[0].sectors(), 101))?;
    sets.bad[1].set_bad(&scattered(sets.bad[1].sectors(), 97))?;
    let paths = [sets.devices[0].path(), sets.devices[1].path()];
    let members = [&*paths[0], &*paths[1]];
    // Synchronising reads what cannot be read, from one side or the other.
    let mirror = Mirror::create(members, false)?;
    let mut load = Load::new(8, SECTORS, 41);
    checks.good("raid1 above: a mirror of sets is written over bad sectors", load.write_all(mirror.path()));
    checks.good("raid1 above: by many", load.run_alone(mirror.path(), 40));
    mirror.wait()?;
    checks.eq("raid1 above: no member was thrown out", mirror.read("degraded")?.as_str(), "0");
    checks.good("raid1 above: all is there", load.compare(mirror.path()));
    mirror.stop()?;
    sets.again()?;
    let mirror = Mirror::assemble(members)?;
    checks.eq("raid1 above: it is assembled whole again", mirror.read("degraded")?.as_str(), "0");
    checks.good("raid1 above: with all that was written", load.compare(mirror.path()));
    fs::write(mirror.sysfs.join("sync_action"), "check")?;
    mirror.wait()?;
    checks.eq("raid1 above: both sides are the same", mirror.read("mismatch_cnt")?.as_str(), "0");
    checks.eq("raid1 above: and whole still", mirror.read("degraded")?.as_str(), "0");
    mirror.stop()?;
    for device in &sets.devices {
        let used = Status::of(device)?.used;
        checks.that(format!("raid1 above: {} moved sectors", device.name()), used > 100, used);
    }
    Ok(())
}

pub fn below(checks: &Checks) -> Result<()> {
    let ram = RamDisks::new(3, 40)?;
    let bad = [BadDisk::new("bad-0", ram.path(0))?, BadDisk::new("bad-1", ram.path(1))?];
    let paths = [bad[0].path(), bad[1].path()];
    let members = [&*paths[0], &*paths[1]];
    let mirror = Mirror::create(members, true)?;
    let mut load = Load::new(8, SECTORS, 42);
    load.write_all(mirror.path())?;
    let line = Line::new(mirror.path(), ram.path(2));
    let set = line.create("set")?;
    // The data of a mirror of this kind begins behind its own, at most so far.
    let sectors: Vec<_> = (8192..SECTORS).step_by(211).collect();
    bad[0].set_bad(&ranges(&sectors))?;
    bad[1].set_bad(&ranges(&sectors))?;
    load.may_fail(0..SECTORS);
    checks.good("raid1 below: what both sides refuse is carried", load.write_all(&set.path()));
    let mut load = Load::new(8, SECTORS, 42);
    checks.good("raid1 below: all is there", load.compare(&set.path()));
    checks.good("raid1 below: and can be written", load.run_alone(&set.path(), 30));
    checks.that("raid1 below: sectors were moved", Status::of(&set)?.used > 0, "none was");
    set.remove()?;
    mirror.stop()?;
    let mirror = Mirror::assemble(members)?;
    let set = line.create("set")?;
    checks.good("raid1 below: all is there when both are started again", load.compare(&set.path()));
    set.remove()?;
    mirror.stop()
}
