//! Spares that come and go while the set is in use.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::cli::Cli;
use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{BadDisk, RamDisks};

/// Where things are written; half of it goes to the spares.
const SECTORS: std::ops::Range<u64> = 0..128;

pub fn play(checks: &Checks, cli: &Cli) -> Result<()> {
    let ram = RamDisks::new(3, 16)?;
    let _main = BadDisk::new("main", ram.path(0))?;
    cli.ok("create set --main /dev/mapper/main --spare /dev/ram1")?;
    let io = Direct::open(Path::new("/dev/mapper/set"))?;
    io.fill(SECTORS, 1)?;
    cli.refused(checks, "the only spare stays", "spare set remove 1", &["only one", "spare set add"])?;
    checks.good("a spare is added while the set is in use", cli.ok("spare set add /dev/ram2"));
    cli.refused(checks, "no spare is added twice", "spare set add /dev/ram2", &["a spare of set already"])?;
    cli.refused(
        checks,
        "nor the main disk",
        "spare set add /dev/mapper/main",
        &["in use by the device set"],
    )?;
    checks.eq(
        "both are listed",
        listed(cli)?,
        vec!["/dev/ram1 present".to_owned(), "/dev/ram2 present".to_owned()],
    );
    cli.ok("remap set 0+64")?;
    cli.refused(
        checks,
        "the first one stays while the set is open",
        "spare set remove /dev/ram1",
        &["close set"],
    )?;

    drop(io);
    cli.ok("close set")?;
    cli.ok("open set")?;
    checks.eq("both are remembered", listed(cli)?.len(), 2);
    let io = Direct::open(Path::new("/dev/mapper/set"))?;
    checks.good("the set holds what was written", io.verify(SECTORS, 1));
    checks.good("the last one is removed while the set is in use", cli.ok("spare set remove /dev/ram2"));
    checks.eq("and is not listed any more", listed(cli)?, vec!["/dev/ram1 present".to_owned()]);
    checks.good("what it held is where it was", io.verify(SECTORS, 1));
    drop(io);
    cli.ok("close set")?;
    checks.good("a set opens without a spare that has left", cli.ok("open set"));
    cli.ok("close set")?;
    Ok(())
}

fn listed(cli: &Cli) -> Result<Vec<String>> {
    let rows = cli.json("spare set list")?;
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = rows.as_array().into_iter().flatten();
    Ok(rows.map(|row| format!("{} {}", text(row, "path"), text(row, "state"))).collect())
}
