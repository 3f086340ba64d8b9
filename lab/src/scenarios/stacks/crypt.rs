//! Encryption above a set, and a set above encryption.

use std::path::Path;

use anyhow::Result;

use crate::checks::Checks;
use crate::disks::{BadDisk, RamDisks, sectors_of};
use crate::dm::{Device, Table};
use crate::guest;
use crate::load::Load;
use crate::program;
use crate::scenarios::on_ram::{OnRam, ranges};
use crate::set::{Line, Status};

/// 20 MiB are written.
const SECTORS: u64 = 40_960;

pub fn above(checks: &Checks) -> Result<()> {
    // Neither in its header of 16 MiB nor where other signatures are looked for: who finds something unreadable
    // there makes no header.
    let data: Vec<_> = (40_000..80_000).step_by(77).collect();
    let mut set = OnRam::new(48, "", |main| main.set_bad(&ranges(&data)))?;
    guest::load("dm_crypt", &[])?;
    let key = format!("{}/key", guest::SCRATCH);
    std::fs::write(&key, "a key that nobody needs to guess")?;
    let format =
        ["luksFormat", "--batch-mode", "--type", "luks2", "--sector-size", "512", "--key-file", &key];
    let cheap = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "/dev/mapper/set"];
    program::run("cryptsetup", format.into_iter().chain(cheap))?;
    let open = || program::run("cryptsetup", ["open", "--key-file", &key, "/dev/mapper/set", "clear"]);
    let close = || program::run("cryptsetup", ["close", "clear"]);
    checks.good("crypt above: a set is encrypted", open());
    let clear = Path::new("/dev/mapper/clear");
    let mut load = Load::new(8, SECTORS, 31);
    checks.good("crypt above: it is written over bad sectors", load.write_all(clear));
    checks.good("crypt above: by many", load.run_alone(clear, 40));
    checks.good("crypt above: and holds what was written", load.compare(clear));
    close()?;
    set.again()?;
    checks.good("crypt above: it is opened again", open());
    checks.good("crypt above: and holds what was written before", load.compare(clear));
    close()?;
    checks.that("crypt above: sectors were moved", set.status()?.used > 100, "none was");
    Ok(())
}

pub fn below(checks: &Checks) -> Result<()> {
    guest::load("dm_crypt", &[])?;
    let ram = RamDisks::new(2, 48)?;
    let bad = BadDisk::new("bad", ram.path(0))?;
    let key = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";
    let arguments = format!("aes-xts-plain64 {key} 0 {} 0", bad.path().display());
    let clear = Table::new().target("crypt", sectors_of(&bad.path())?, &arguments);
    let main = Device::create("clear", &clear)?;
    let mut load = Load::new(8, SECTORS, 32);
    load.write_all(&main.path())?;
    let sectors: Vec<_> = (3..SECTORS).step_by(77).collect();
    bad.set_bad(&ranges(&sectors))?;
    load.may_fail(sectors);
    let line = Line::new(&main.path(), ram.path(1));
    let set = line.create("set")?;
    checks.good("crypt below: bad sectors are carried", load.run_alone(&set.path(), 60));
    checks.good("crypt below: all else is there", load.compare(&set.path()));
    let lost = Status::of(&set)?.lost;
    set.remove()?;
    main.remove()?;
    let main = Device::create("clear", &clear)?;
    let set = line.create("set")?;
    checks.good("crypt below: and when both are opened again", load.compare(&set.path()));
    checks.eq(
        "crypt below: the same is lost",
        (lost, Status::of(&set)?.lost),
        (load.doubtful() as u64, lost),
    );
    set.remove()?;
    main.remove()
}
