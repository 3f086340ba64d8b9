//! A thin pool whose data and whose metadata both lie on sets.

use anyhow::Result;

use super::{TwoSets, scattered};
use crate::checks::Checks;
use crate::disks::sectors_of;
use crate::dm::{Device, Table};
use crate::guest;
use crate::load::Load;
use crate::program;
use crate::scenarios::on_ram::ranges;
use crate::set::Status;

/// 16 MiB are written.
const SECTORS: u64 = 32_768;

pub fn play(checks: &Checks) -> Result<()> {
    guest::load("dm_thin_pool", &[])?;
    let mut sets = TwoSets::new(48)?;
    let (data, metadata) = (sets.devices[0].path(), sets.devices[1].path());
    let pool_table = Table::new().target(
        "thin-pool",
        sectors_of(&data)?,
        &format!("{} {} 128 0", metadata.display(), data.display()),
    );
    sets.bad[0].set_bad(&scattered(sets.bad[0].sectors(), 89))?;
    // Not the first block: a pool looks there for a superblock before it has written one.
    sets.bad[1].set_bad(&ranges(&(9..4096).step_by(13).collect::<Vec<_>>()))?;
    let thin = |name: &str, number: u32| {
        let table = Table::new().target("thin", SECTORS, &format!("/dev/mapper/pool {number}"));
        Device::create(name, &table)
    };
    let pool = Device::create("pool", &pool_table)?;
    pool.message("create_thin 0")?;
    let volume = thin("volume", 0)?;
    let mut load = Load::new(8, SECTORS, 51);
    checks.good("thin: a volume is written over bad sectors", load.write_all(&volume.path()));
    checks.good("thin: by many", load.run_alone(&volume.path(), 40));
    volume.suspend()?;
    pool.message("create_snap 1 0")?;
    volume.resume()?;
    let before = load.clone();
    checks.good("thin: and again after a snapshot", load.run_alone(&volume.path(), 40));
    checks.good("thin: all is there", load.compare(&volume.path()));
    volume.remove()?;
    pool.remove()?;
    sets.again()?;
    checks.good("thin: the metadata is sound", program::run("thin_check", [&metadata]));
    let pool = Device::create("pool", &pool_table)?;
    let volume = thin("volume", 0)?;
    checks.good("thin: all is there when all is started again", load.compare(&volume.path()));
    let snapshot = thin("snapshot", 1)?;
    checks.good("thin: the snapshot, too", before.compare(&snapshot.path()));
    snapshot.remove()?;
    volume.remove()?;
    pool.remove()?;
    for device in &sets.devices {
        let used = Status::of(device)?.used;
        checks.that(format!("thin: {} moved sectors", device.name()), used > 0, used);
    }
    Ok(())
}
