//! Wrong turns: each is refused before anything is written, with a word that helps.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::OFlags;

use super::cli::{Cli, ran};
use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{BadDisk, LoopDisk, RamDisks};
use crate::dm::{Device, Table};
use crate::fs::Kind;
use crate::{guest, program};

pub fn play(checks: &Checks, cli: &Cli) -> Result<()> {
    let ram = RamDisks::new(4, 16)?;
    let _main = BadDisk::new("main", ram.path(0))?;
    let make = |name: &str, spare: &str| format!("create {name} --main /dev/mapper/main --spare {spare}");
    no_module(checks, cli, &make("set", "/dev/ram1"))?;

    let small = guest::new_folder("small")?.join("spare");
    File::create(&small)?.set_len(1 << 20)?;
    let small = small.display().to_string();
    cli.refused(checks, "a spare that is too small", &make("set", &small), &["too small"])?;
    cli.refused(
        checks,
        "a name that a device has",
        &make("main", "/dev/ram1"),
        &["mapped device called main"],
    )?;
    cli.refused(checks, "one disk twice", &make("set", "/dev/mapper/main"), &["the same disk"])?;
    let script = format!("create set --via kernel --main faulty:/dev/ram3,faults={small} --spare /dev/ram1");
    cli.refused(checks, "a script's faults in the kernel", &script, &["user space only"])?;
    mounted(checks, cli, ram.path(3))?;

    cli.ok(&make("set", "/dev/ram1"))?;
    cli.refused(checks, "a name that a set has", &make("set", "/dev/ram2"), &["a set called `set` already"])?;
    let other = "create other --main /dev/ram3 --spare /dev/ram1";
    cli.refused(checks, "a spare that a set has", other, &["/dev/ram1 is in use by the device set"])?;
    cli.refused(checks, "a set that nobody knows", "status nobody", &["no set is called `nobody`"])?;
    cli.refused(checks, "a device that is no set", "status /dev/ram3", &["no device of a set"])?;
    cli.refused(checks, "forgetting an open set", "forget set", &["dm-remap close set"])?;
    not_root(checks, cli)?;
    in_use(checks, cli)?;
    cli.ok("close set")?;
    cli.refused(checks, "a spare of another set", other, &["belongs to the set set already"])?;
    let nbd = "open set --via kernel --nbd tcp:127.0.0.1:10809";
    checks.eq("addresses for a block device", cli.run(nbd)?.code, Some(2));
    taken(checks, cli)?;
    claimed(checks, cli)?;
    ended_early(checks, cli)?;
    missing_spare(checks, cli)
}

/// Without the module a set runs in user space unless it must not.
fn no_module(checks: &Checks, cli: &Cli, create: &str) -> Result<()> {
    let module = guest::target_module().context("the module is loaded")?;
    guest::unload("dm_remap")?;
    let forced = format!("{create} --via kernel");
    cli.refused(
        checks,
        "a kernel without the module",
        &forced,
        &["no target `remap`", "dm-remap-dkms", "--via nbd"],
    )?;
    let chosen = cli.ok(create)?;
    let says = ["in user space", "no target `remap`", "dm-remap open set"];
    checks.that(
        "user space is chosen, and why is told",
        says.iter().all(|part| chosen.contains(part)),
        &chosen,
    );
    cli.refused(
        checks,
        "opening it in the kernel nevertheless",
        "open set --via kernel",
        &["no target `remap`"],
    )?;
    cli.ok("forget set")?;
    program::run("insmod", [module])?;
    // What was formatted is wiped, so that it is blank again.
    Direct::open(Path::new("/dev/ram1"))?;
    program::run("dd", ["if=/dev/zero", "of=/dev/ram1", "bs=1M", "count=16", "oflag=direct", "status=none"])
        .map(drop)
}

fn mounted(checks: &Checks, cli: &Cli, disk: &Path) -> Result<()> {
    Kind::Ext4.make(disk)?;
    let mounted = Kind::Ext4.mount(disk, "main")?;
    let words = format!("create set --main {} --spare /dev/ram1", disk.display());
    cli.refused(checks, "a main disk that is mounted", &words, &["in use by a mount on"])?;
    let words = format!("create set --main /dev/mapper/main --spare {}", disk.display());
    cli.refused(checks, "a spare that is mounted", &words, &["in use by a mount on"])?;
    mounted.unmount()?;
    cli.refused(checks, "a spare with a file system", &words, &["not blank", "ext4", "--force"])
}

/// Somebody who is not root is told so, not that there is no set.
fn not_root(checks: &Checks, cli: &Cli) -> Result<()> {
    // The program lies where only root looks.
    let program = guest::new_folder("program")?.join("dm-remap");
    fs::copy(program::dm_remap()?, &program)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let cli = cli.with_program(program);
    let mut command = cli.through(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    let ran = ran(command.args(["status", "set"]))?;
    let is_so = ran.code == Some(3) && ran.stderr.contains("only root");
    checks.that("somebody who is not root", is_so, format!("{ran:?}"));
    Ok(())
}

/// A set that something stands on is not closed.
fn in_use(checks: &Checks, cli: &Cli) -> Result<()> {
    let set = Path::new("/dev/mapper/set");
    Kind::Ext4.make(set)?;
    let mounted = Kind::Ext4.mount(set, "set")?;
    cli.refused(
        checks,
        "closing a set that is mounted",
        "close set",
        &["in use by a mount on", "--when-unused"],
    )?;
    mounted.unmount()?;
    let stacked = Device::create("upper", &Table::new().linear(64, set, 0))?;
    cli.refused(
        checks,
        "closing a set that a device stands on",
        "close set",
        &["in use by the device upper"],
    )?;
    let later = cli.ok("close set --when-unused")?;
    checks.that("it is closed later on request", later.contains("when nobody uses it"), &later);
    stacked.remove()?;
    let list = cli.json("list")?;
    checks.eq("and then it is closed", list[0]["state"].as_str(), Some("closed"));
    cli.ok("open set").map(drop)
}

/// The name is another device's now.
fn taken(checks: &Checks, cli: &Cli) -> Result<()> {
    let other = Device::create("set", &Table::new().linear(64, Path::new("/dev/ram3"), 0))?;
    cli.refused(checks, "opening under a name that a device has", "open set", &["mapped device called set"])?;
    other.remove()
}

/// Only the target notices that a program has claimed the main disk; what it says in the kernel's log is passed on.
fn claimed(checks: &Checks, cli: &Cli) -> Result<()> {
    let flags = i32::try_from(OFlags::EXCL.bits())?;
    let claim = OpenOptions::new().read(true).custom_flags(flags).open("/dev/mapper/main")?;
    let parts = ["the kernel's target refused", "the device /dev/mapper/main cannot be opened"];
    cli.refused(checks, "a main disk that a program has claimed", "open set", &parts)?;
    checks.that(
        "nothing is left of a table that was refused",
        !Path::new("/dev/mapper/set").exists(),
        "there is a node",
    );
    drop(claim);
    cli.ok("open set")?;
    cli.ok("close set").map(drop)
}

/// An opening that is ended in the middle leaves a device without a table, or without a node.
fn ended_early(checks: &Checks, cli: &Cli) -> Result<()> {
    let uuid =
        cli.json("status set")?["uuid"].as_str().map(|uuid| format!("DMREMAP-{uuid}")).context("no UUID")?;
    program::run("dmsetup", ["create", "set", "--notable", "--uuid", &uuid])?;
    checks.good("an opening that was ended before the table is done again", cli.ok("open set"));
    fs::remove_file("/dev/mapper/set")?;
    checks.good("one that was ended before the node is finished", cli.ok("open set"));
    checks.that("and there it is", Path::new("/dev/mapper/set").exists(), "it is not");
    cli.ok("close set").map(drop)
}

fn missing_spare(checks: &Checks, cli: &Cli) -> Result<()> {
    let second = LoopDisk::new("second", 16, 512)?;
    let node = second.path().display().to_string();
    cli.ok(&format!("create two --main /dev/ram3 --spare /dev/ram2 --spare {node}"))?;
    cli.ok("close two")?;
    drop(second);
    let ran = cli.run("open two")?;
    let is_so = matches!(ran.code, Some(1 | 3)) && ran.stderr.contains(&node);
    checks.that("a spare that is missing is named", is_so, format!("{ran:?}"));
    println!("  said: {}", ran.stderr.trim());
    let scan = cli.run("scan /dev/ram2")?;
    let told = scan.code == Some(4) && scan.stdout.contains("two");
    checks.that("a scan tells that the set is not complete", told, format!("{scan:?}"));
    Ok(())
}
