//! Table lines that are refused: garbage, the wrong devices, spares that hold something.

use std::path::Path;

use anyhow::Result;

use super::{Disks, MIB, SEED, refused, unchanged, verify};
use crate::checks::Checks;
use crate::direct::{Direct, pattern};
use crate::disks::SECTORS_PER_MIB;
use crate::dm::{Device, Table};
use crate::fs::Kind;
use crate::set::{BLOCK, Damage, Line, SUPERBLOCKS, Status};

/// Size of each disk.
const SECTORS: u64 = MIB * SECTORS_PER_MIB;

pub fn play(checks: &Checks, disks: &Disks) -> Result<()> {
    unchanged(checks, "lines of garbage", &disks.members(), || garbage(checks, disks))?;
    unchanged(checks, "another main device", &disks.members(), || wrong_main(checks, disks))?;
    not_blank(checks, disks)?;
    wrong_spares(checks, disks)?;
    in_use(checks, disks)?;
    let device = disks.line().create("set")?;
    checks.good("after all that the set is what it was", verify(&device));
    device.remove()
}

fn garbage(checks: &Checks, disks: &Disks) -> Result<()> {
    let (main, spare) = (disks.main.path(), disks.spare());
    let (main, spare) = (main.display(), spare.display());
    let long = "x".repeat(300);
    for (arguments, reason) in [
        (String::new(), "a main device and a spare are needed"),
        (format!("{main}"), "a main device and a spare are needed"),
        (format!("{main} {spare} many"), "many is not a number of options"),
        (format!("{main} {spare} 1"), "fewer options than their number says"),
        (format!("{main} {spare} 4294967297 force"), "fewer options than their number says"),
        (format!("{main} {spare} 18446744073709551615 force"), "fewer options than their number says"),
        (format!("{main} {spare} 1 sideways"), "the option sideways is not known"),
        (format!("{main} {spare} 2 {long} {long}"), "is not known"),
        (format!("{main} {spare} 2 block_size 3"), "block_size 3: expected"),
        (format!("{main} {spare} 2 copies 9"), "copies 9: expected"),
        (format!("{main} {spare} 2 on_lost maybe"), "on_lost maybe: expected"),
        (format!("{main} {spare} 1 read_only force"), "force is more than the number of options says"),
        (format!("{main} {spare} 1 on_lost error"), "goes beyond the number of options"),
        (format!("{main} {spare} 1 spare"), "lacks its value"),
        (format!("{main} {spare} 0 0"), "a spare of no sectors"),
        (format!("{main} {spare} 0 99999999"), "sectors from there on"),
        (format!("{main} {spare} 99999999 8"), "the spare ends before"),
        (format!("{main} {spare} 18446744073709551615 8"), "the spare ends before"),
        (format!("{main} {spare} 8 18446744073709551615"), "sectors from there on"),
        (format!("{main} {spare} -1 8"), "-1 is not a number of options"),
        (format!("{main} {spare} 1 accept_lost_pages"), "goes with read_only only"),
        (format!("{main} {spare} 2 block_size 16"), "it cannot be changed"),
        (format!("{main} /dev/nothing"), "/dev/nothing cannot be opened"),
        (format!("/dev/nothing {spare}"), "/dev/nothing cannot be opened"),
        (format!("{main} {spare} 2 spare /dev/nothing"), "/dev/nothing cannot be opened"),
        (format!("{main} {main}"), "the main device and a spare are the same"),
        (format!("{main} {spare} 2 spare {spare}"), "the same spare is given twice"),
    ] {
        let table = Table::new().target("remap", SECTORS, &arguments);
        let what = arguments.replace(&long, "xxx…");
        refused(checks, &format!("a line of {what:?}"), reason, &table)?;
    }
    let long = Table::new().target("remap", SECTORS + 8, &disks.line().arguments());
    refused(checks, "a line that is longer than the main device", "and the main device has", &long)
}

fn wrong_main(checks: &Checks, disks: &Disks) -> Result<()> {
    let ram = disks.ram.path(0);
    let smaller = Device::create("smaller", &Table::new().linear(SECTORS - 8, ram, 0))?;
    let line = Line::new(&smaller.path(), disks.spare());
    refused(checks, "a smaller main device", "and the set was made for", &line.table()?)?;
    let line = line.option("accept_other_main");
    refused(checks, "a smaller main device, accepted", "and the set was made for", &line.table()?)?;
    smaller.remove()?;
    let larger = Table::new().linear(SECTORS, ram, 0).linear(64, disks.other(), 0);
    let larger = Device::create("larger", &larger)?;
    let line = Line::new(&larger.path(), disks.spare());
    refused(checks, "a larger main device", "give the option grow", &line.table()?)?;
    larger.remove()
}

fn not_blank(checks: &Checks, disks: &Disks) -> Result<()> {
    let other = disks.other();
    let line = Line::new(disks.ram.path(3), other);
    Kind::Ext4.make(other)?;
    unchanged(checks, "a file system on the spare", &[other], || {
        refused(checks, "a file system on the spare", "is not blank", &line.table()?)
    })?;
    wipe(other)?;
    let io = Direct::open(other)?;
    for at in [SECTORS - 1, SECTORS - 2047, 8200, 16383, 9] {
        io.write(at, &pattern(at, SEED))?;
        let what = format!("a spare with data at sector {at}");
        unchanged(checks, &what, &[other], || {
            refused(checks, &what, &format!("data at sector {at}"), &line.table()?)
        })?;
        io.write(at, &[0; 512])?;
    }
    io.write(1, &pattern(1, SEED))?;
    let device = line.clone().option("force").create("forced")?;
    checks.eq("with force it is formatted", Status::of(&device)?.state, "ok".to_owned());
    Direct::open(&device.path())?.fill(0..BLOCK, SEED)?;
    device.remove()?;
    // All superblock copies damaged: not blank, and nothing that can be opened.
    for at in SUPERBLOCKS {
        Damage::to(other, at)?;
    }
    unchanged(checks, "a spare without a valid superblock", &[other], || {
        refused(checks, "a spare without a valid superblock", "is not blank", &line.table()?)
    })?;
    wipe(other)
}

fn wrong_spares(checks: &Checks, disks: &Disks) -> Result<()> {
    let (main, other) = (disks.ram.path(3), disks.other());
    let both = Line::new(&disks.main.path(), disks.spare()).spare(other);
    unchanged(checks, "a blank spare beside the set's own", &[disks.spare(), other], || {
        refused(checks, "a blank spare beside the set's own", "add it with the message", &both.table()?)
    })?;
    Line::new(main, other).create("other")?.remove()?;
    unchanged(checks, "spares of two sets", &[disks.spare(), other], || {
        refused(checks, "spares of two sets", "is of another set", &both.table()?)
    })?;
    wipe(other)?;
    // A set of two spares on the other half of the disks, one of them missing.
    let (left, right) = (halves(other, 0)?, halves(other, 1)?);
    let two = Line::new(main, &left.path()).spare(&right.path());
    let device = two.create("two")?;
    Direct::open(&device.path())?.fill(0..64, SEED)?;
    device.message("remap 0 64")?;
    device.remove()?;
    unchanged(checks, "a spare is missing", &[main, other], || missing(checks, main, &left, &right))?;
    let swapped = Line::new(main, &right.path()).spare(&left.path());
    let device = swapped.create("two")?;
    checks.good("spares may come in any order", Direct::open(&device.path())?.verify(0..64, SEED));
    device.remove()?;
    left.remove()?;
    right.remove()?;
    wipe(other)
}

/// Of the set on both halves only one is given.
fn missing(checks: &Checks, main: &Path, left: &Device, right: &Device) -> Result<()> {
    let one = Line::new(main, &left.path());
    refused(checks, "a set with a spare missing", "are missing", &one.table()?)?;
    let only = Line::new(main, &right.path());
    refused(checks, "a set with the first spare missing", "are missing", &only.table()?)?;
    let accepted = one.clone().option("accept_missing_spares");
    refused(checks, "accepted, but not read-only", "goes with read_only only", &accepted.table()?)?;
    let device = accepted.option("read_only").create("two")?;
    let status = Status::of(&device)?;
    checks.eq("accepted, it is read-only", (&*status.state, status.used), ("read-only", 8));
    checks.good("what lies on the spare that is there can be read", {
        Direct::open(&device.path())?.verify(0..64, SEED)
    });
    device.remove()?;
    let device = only.option("read_only").option("accept_missing_spares").create("two")?;
    let io = Direct::open(&device.path())?;
    checks.eq("what lies on the missing one fails", io.unreadable(0..64).len(), 64);
    checks.that("all else can be read", io.read(64, 64).is_ok(), "it cannot");
    drop(io);
    device.remove()
}

/// Half of a disk, as a disk.
fn halves(disk: &Path, half: u64) -> Result<Device> {
    let table = Table::new().linear(SECTORS / 2, disk, half * SECTORS / 2);
    Device::create(&format!("half-{half}"), &table)
}

fn in_use(checks: &Checks, disks: &Disks) -> Result<()> {
    let device = disks.line().create("set")?;
    let (main, spare, other) = (disks.main.path(), disks.spare(), disks.other());
    for (what, line) in [
        ("a second set with the same spare", Line::new(disks.ram.path(3), spare)),
        ("a second set of the same main device", Line::new(&main, other)),
        ("a set whose main device is a spare in use", Line::new(spare, other)),
        ("a set whose spare is a main device in use", Line::new(other, &main)),
        ("the same set a second time", disks.line()),
    ] {
        refused(checks, what, "in use", &line.table()?)?;
    }
    checks.good("meanwhile the set answers", verify(&device));
    device.remove()
}

/// Zeros on all of a disk.
fn wipe(disk: &Path) -> Result<()> {
    let io = Direct::open(disk)?;
    for at in (0..SECTORS).step_by(2048) {
        io.write(at, &vec![0; 2048 * 512])?;
    }
    Ok(())
}
