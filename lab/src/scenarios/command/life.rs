//! A set from its making to its end: sectors go bad, are moved, looked at, written back.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::cli::Cli;
use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{BadDisk, RamDisks};
use crate::{guest, program};

/// Size of each disk.
const MIB: u64 = 16;
/// Bad sectors, each in a block of its own. The last is read before it is written, and is lost.
const BAD: [u64; 3] = [100, 200, 300];
/// Where things are written.
const SECTORS: std::ops::Range<u64> = 0..400;
/// The node of the set.
const NODE: &str = "/dev/mapper/set";

pub fn play(checks: &Checks, cli: &Cli) -> Result<()> {
    let ram = RamDisks::new(2, MIB)?;
    let main = BadDisk::new("main", ram.path(0))?;
    let made = cli.ok("create set --main /dev/mapper/main --spare /dev/ram1")?;
    let says = ["in the kernel", "the kernel has the target remap 1.0.0", NODE];
    checks.that(
        "a set is made and says where it runs and why",
        says.iter().all(|part| made.contains(part)),
        &made,
    );

    main.set_bad(&BAD.map(|sector| sector..sector + 1))?;
    use_it(checks, cli)?;
    orders(checks, cli)?;
    lists(checks, cli, &main)?;
    scrub(checks, cli)?;
    close_and_open(checks, cli)
}

/// Bad sectors are met, and every command that only looks tells of them.
fn use_it(checks: &Checks, cli: &Cli) -> Result<()> {
    let io = Direct::open(Path::new(NODE))?;
    checks.that("a bad sector that is read is lost", io.read(BAD[2], 1).is_err(), "it can be read");
    io.fill(0..BAD[2], 1)?;
    io.fill(BAD[2] + 1..SECTORS.end, 1)?;
    drop(io);

    let status = cli.json("status set")?;
    checks.eq(
        "the set is open",
        (&status["open"], &status["device"]),
        (&Value::from(true), &Value::from(NODE)),
    );
    checks.eq(
        "its disks are told by their paths",
        paths(&status),
        ["/dev/mapper/main", "/dev/ram1"].map(str::to_owned),
    );
    checks.eq("what was lost is told", number(&status, "lost_sectors")?, 1);
    checks.that("what was moved is told", number(&status, "moved_sectors")? >= 2, &status);
    checks.that("errors are counted", number(&status, "write_errors")? >= 2, &status);
    let text = cli.ok("status set")?;
    checks.that(
        "a person reads where the device is",
        text.contains("/dev/mapper/set, run by the kernel"),
        &text,
    );
    let by_path = cli.json(&format!("status {NODE}"))?;
    checks.eq("the set is found by its device, too", &by_path["uuid"], &status["uuid"]);

    let mut watch = cli.command();
    watch.args(["status", "set", "--watch", "1", "--json"]).stdout(std::process::Stdio::piped());
    let mut watching = watch.spawn().context("cannot watch")?;
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(watching.stdout.take().context("no output")?));
    let two = [lines.next(), lines.next()].map(|line| line.and_then(Result::ok).unwrap_or_default());
    watching.kill()?;
    watching.wait()?;
    let parsed = two.iter().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    checks.eq("a watched status is a line each time", parsed, 2);

    let list = cli.json("list")?;
    let row = &list[0];
    checks.eq("the list has it", (&row["state"], &row["device"]), (&Value::from("open"), &Value::from(NODE)));
    let mappings = cli.json("mappings set")?;
    let found: Vec<_> = BAD.iter().map(|sector| block_of(&mappings, *sector).is_some()).collect();
    checks.eq("the mappings have every bad block", found, vec![true; 3]);
    let gone = block_of(&mappings, BAD[2]).map(|row| row["lost"].clone());
    checks.eq("and the lost sector", gone, Some(Value::from(vec![BAD[2]])));
    let health = cli.run("health set")?;
    let is_warning = matches!(health.code, Some(1 | 2)) && health.stdout.contains("lost=1");
    checks.that("a lost sector is a warning for monitoring", is_warning, format!("{health:?}"));
    Ok(())
}

/// What an operator orders.
fn orders(checks: &Checks, cli: &Cli) -> Result<()> {
    let moved = cli.json("remap set 4096+16")?;
    checks.eq("healthy sectors are moved ahead", number(&moved, "blocks_done")?, 2);
    let back = cli.json("unmap set 4096+16")?;
    let difference = number(&moved, "moved_sectors")? - number(&back, "moved_sectors")?;
    checks.eq("and written back", (number(&back, "blocks_done")?, difference), (2, 16));
    let stays = cli.run("unmap set 96+8 --json")?;
    let report: Value = serde_json::from_str(&stays.stdout).context("unmap --json")?;
    let at = report["failures"][0]["start_sector"].as_u64();
    checks.eq("a bad block is not written back, and that needs care", (stays.code, at), (Some(4), Some(96)));
    let tried = cli.json(&format!("retry set {} --attempts 2", BAD[2]))?;
    checks.eq("a lost sector that does not answer stays lost", number(&tried, "lost_sectors")?, 1);
    cli.refused(checks, "what is lost is not given up unasked", "accept-loss set --all", &["--yes"])?;
    let accepted = cli.json("accept-loss set --all --yes")?;
    checks.eq("a loss is accepted", number(&accepted, "lost_sectors")?, 0);
    let io = Direct::open(Path::new(NODE))?;
    checks.that(
        "and reads as zeros",
        io.read(BAD[2], 1).is_ok_and(|bytes| bytes.iter().all(|byte| *byte == 0)),
        "no",
    );
    io.fill(BAD[2]..BAD[2] + 1, 1)?;
    cli.refused(checks, "a range behind the end is refused", "remap set 40000", &["ends with sector 32767"])
}

/// Lists of other programs.
fn lists(checks: &Checks, cli: &Cli, main: &BadDisk) -> Result<()> {
    let map = cli.ok("export set --format ddrescue")?;
    checks.that(
        "a mapfile has the bad sectors",
        map.contains("0x0000C800") || map.to_lowercase().contains("0xc800"),
        &map,
    );
    let file = guest::new_folder("lists")?.join("bad");
    std::fs::write(&file, "1000\n1001\n")?;
    let imported = cli.json(&format!("import set --badblocks {} --block-size 512", file.display()))?;
    checks.eq("a list of bad blocks is imported", number(&imported, "listed_sectors")?, 2);

    let table = cli.ok("export set --format dm-linear")?;
    cli.ok("close set")?;
    let path = guest::new_folder("table")?.join("table");
    std::fs::write(&path, &table)?;
    program::run("dmsetup", ["create", "plain", &path.display().to_string()])?;
    let plain = Direct::open(Path::new("/dev/mapper/plain"))?;
    checks.good("the exported table gives the same bytes without our target", plain.verify(SECTORS, 1));
    drop(plain);
    program::run("dmsetup", ["remove", "--retry", "plain"])?;
    ensure!(main.sectors() > SECTORS.end, "a small disk");
    let opened = cli.ok("open set")?;
    checks.eq("the set is opened again", opened.trim(), "set open: /dev/mapper/set");
    Ok(())
}

fn scrub(checks: &Checks, cli: &Cli) -> Result<()> {
    let done = cli.json("scrub set start --rate 0 --wait")?;
    checks.eq(
        "the disk is scrubbed",
        (&done["state"], number(&done, "sectors_done")?),
        (&Value::from("done"), 32768),
    );
    checks.that("its metadata is verified", number(&done, "pages_done")? > 0, &done);
    let now = cli.json("scrub set status")?;
    checks.eq("how it ended is told later", &now, &done);
    let metadata = ["in use by the device set", "dm-remap close"];
    cli.refused(checks, "a spare in use is not checked off-line", "check /dev/ram1", &metadata)?;
    cli.refused(checks, "nor is its metadata shown", "metadata show /dev/ram1", &metadata)
}

fn close_and_open(checks: &Checks, cli: &Cli) -> Result<()> {
    let io = Direct::open(Path::new(NODE))?;
    cli.refused(checks, "a device that a program has open stays", "close set", &["fuser", "--when-unused"])?;
    drop(io);
    checks.eq("a set is closed", cli.ok("close set")?.trim(), "set closed");
    checks.eq("closing it again does nothing", cli.ok("close set")?.trim(), "set was closed");
    checks.that("its node is gone", !Path::new(NODE).exists(), NODE);
    let status = cli.json("status set")?;
    checks.eq("its status is told while it is closed", &status["open"], &Value::from(false));
    checks.good("its spare is sound", cli.ok("check /dev/ram1"));
    checks.good("all sets are opened", cli.ok("open --all"));
    let io = Direct::open(Path::new(NODE))?;
    checks.good("and hold what was written", io.verify(SECTORS, 1));
    drop(io);
    checks.eq("opening it again does nothing", cli.ok("open set")?.trim(), "set was open: /dev/mapper/set");
    checks.good("all sets are closed", cli.ok("close --all"));
    checks.that("none is left", !Path::new(NODE).exists(), NODE);
    cli.ok("open set --read-only")?;
    let written = Direct::open(Path::new(NODE)).and_then(|io| Ok(io.write(0, &[0; 512])?));
    checks.that("a set that is opened read-only is not written to", written.is_err(), "it can be written to");
    let status = cli.json("status set")?;
    checks.eq("and says so", &status["read_only_on_request"], &Value::from(true));
    cli.ok("close set")?;
    Ok(())
}

/// The row of the block that has a sector.
fn block_of(mappings: &Value, sector: u64) -> Option<&Value> {
    let rows = mappings.as_array()?;
    rows.iter().find(|row| row["start_sector"].as_u64() == Some(sector / 8 * 8))
}

fn paths(status: &Value) -> [String; 2] {
    [&status["main"], &status["spares"][0]["path"]].map(|path| path.as_str().unwrap_or_default().to_owned())
}

pub fn number(value: &Value, key: &str) -> Result<u64> {
    value[key].as_u64().with_context(|| format!("no {key} in {value}"))
}
