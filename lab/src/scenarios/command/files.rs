//! A set of files: they become loop devices while it is open, and nobody else gets at them.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::cli::Cli;
use crate::checks::Checks;
use crate::direct::Direct;
use crate::{guest, program};

pub fn play(checks: &Checks, cli: &Cli) -> Result<()> {
    guest::load("loop", &[])?;
    let folder = guest::new_folder("images")?;
    for name in ["main", "spare"] {
        File::create(folder.join(name))?.set_len(16 << 20)?;
    }
    let at = |name: &str| folder.join(name).display().to_string();
    cli.ok(&format!("create images --main {} --spare {}", at("main"), at("spare")))?;
    let status = cli.json("status images")?;
    let told = [&status["main"], &status["spares"][0]["path"]];
    checks.eq("files are told by their paths", told, [&Value::from(at("main")), &Value::from(at("spare"))]);
    let io = Direct::open(Path::new("/dev/mapper/images"))?;
    checks
        .good("a set of files stores what is written", io.fill(0..64, 1).and_then(|()| io.verify(0..64, 1)));
    drop(io);
    cli.ok("remap images 0+8")?;
    cli.refused(
        checks,
        "a file that the kernel has is not checked off-line",
        &format!("check {}", at("spare")),
        &["a loop device"],
    )?;
    cli.ok("close images")?;
    let loops = program::run("losetup", ["--list", "--noheadings", "-O", "BACK-FILE"])?;
    checks.that("loop devices go with the set", !loops.contains("images"), &loops);
    checks.good("its spare is sound", cli.ok(&format!("check {}", at("spare"))));
    checks.good("it opens again", cli.ok("open images"));
    let io = Direct::open(Path::new("/dev/mapper/images"))?;
    checks.good("and holds what was written", io.verify(0..64, 1));
    drop(io);
    cli.ok("close images").map(drop)
}
