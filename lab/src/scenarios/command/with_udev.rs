//! The same with udev at work: its rules make the nodes, and the command waits for them.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::cli::{Cli, Ran, ran};
use crate::checks::Checks;
use crate::disks::RamDisks;
use crate::{guest, program};

/// udev's program, and the name by which it is the server.
const UDEV: &str = "/usr/bin/udevadm";
const SERVER: &str = "systemd-udevd";
/// Shorter than the command waits for rules that never end.
const SOON: Duration = Duration::from_secs(25);

/// udev, ended when it goes out of scope.
struct Udev(Child);

pub fn play(checks: &Checks, cli: &Cli) -> Result<()> {
    if !Path::new(UDEV).exists() {
        checks.skipped("nodes made by udev", "this machine has no udev");
        return Ok(());
    }
    let _ram = RamDisks::new(2, 16)?;
    let udev = Udev::start()?;
    let started = Instant::now();
    let made = call(cli, "create set --main /dev/ram0 --spare /dev/ram1")?;
    ensure!(made.code == Some(0), "{made:?}");
    let node = Path::new("/dev/mapper/set");
    checks.that("udev makes the node", node.is_symlink(), "it is no symbolic link");
    let properties = program::run("udevadm", ["info", "--query=property", "/dev/mapper/set"])?;
    checks.that("and knows the device as its rules do", properties.contains("DM_NAME=set"), &properties);
    let closed = call(cli, "close set")?;
    checks.that(
        "udev's looking at it keeps nobody from closing",
        closed.code == Some(0),
        format!("{closed:?}"),
    );
    checks.that("the node goes with the set", !node.exists() && !node.is_symlink(), "it is still there");
    let took = started.elapsed();
    checks.that("the rules tell when they are done", took < SOON, format!("it took {took:?}"));
    let left = program::run("ipcs", ["--semaphores"])?;
    checks.that("no semaphore is left behind", !left.contains("0x0d4d"), &left);
    drop(udev);
    Ok(())
}

/// The command as it is called where udev runs.
fn call(cli: &Cli, words: &str) -> Result<Ran> {
    ran(cli.command().args(words.split(' ')).env_remove("DM_DISABLE_UDEV"))
}

impl Udev {
    fn start() -> Result<Self> {
        let child =
            program::command(UDEV).arg0(SERVER).stdin(Stdio::null()).spawn().context("cannot start udev")?;
        let udev = Self(child);
        guest::eventually("udev listens", || {
            ensure!(Path::new("/run/udev/control").exists(), "it does not");
            Ok(())
        })?;
        // Rules of other programs are of no concern here.
        program::run("udevadm", ["settle", "--timeout=20"])?;
        Ok(udev)
    }
}

impl Drop for Udev {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait()).map(drop);
        let removed = std::fs::remove_file("/run/udev/control");
        if let Err(error) = ended.and(removed) {
            println!("udev stays behind: {error}");
        }
    }
}
