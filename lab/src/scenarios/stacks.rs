//! Sets below and above what people stack on disks: LVM, MD, dm-crypt and dm-thin.

mod crypt;
mod lvm;
mod md;
mod thin;

use anyhow::Result;

use super::on_ram::{self, ranges};
use crate::checks::Checks;
use crate::disks::{BadDisk, RamDisks};
use crate::dm::Device;
use crate::scenario::{Next, Scenario, Step};
use crate::set::Line;

pub const SCENARIO: Scenario = Scenario {
    name: "stacks",
    about: "LVM, MD RAID1, dm-crypt and dm-thin above and below sets with bad sectors",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    limit_seconds: 1200,
    ..Scenario::USUAL
};

fn play(checks: &Checks) -> Result<Next> {
    on_ram::play_all(
        checks,
        &[
            ("lvm", lvm::play),
            ("crypt above", crypt::above),
            ("crypt below", crypt::below),
            ("raid1 above", md::above),
            ("raid1 below", md::below),
            ("thin", thin::play),
        ],
    )
}

/// Every so many sectors from 4 MiB on is bad: behind what the stacks read before they write it.
fn scattered(sectors: u64, step: u64) -> Vec<std::ops::Range<u64>> {
    ranges(&(8192..sectors).step_by(step as usize).collect::<Vec<_>>())
}

/// Two sets on four RAM disks.
#[derive(Debug)]
struct TwoSets {
    devices: Vec<Device>,
    bad: Vec<BadDisk>,
    ram: RamDisks,
}

impl TwoSets {
    fn new(mebibytes: u64) -> Result<Self> {
        let ram = RamDisks::new(4, mebibytes)?;
        let bad = vec![BadDisk::new("main-0", ram.path(0))?, BadDisk::new("main-1", ram.path(1))?];
        let mut sets = Self { devices: Vec::new(), bad, ram };
        sets.create()?;
        Ok(sets)
    }

    fn create(&mut self) -> Result<()> {
        for (number, bad) in self.bad.iter().enumerate() {
            let line = Line::new(&bad.path(), self.ram.path(2 + number));
            self.devices.push(line.create(&format!("set-{number}"))?);
        }
        Ok(())
    }

    fn again(&mut self) -> Result<()> {
        self.devices.drain(..).try_for_each(Device::remove)?;
        self.create()
    }
}
