//! One set, used by turns: by the kernel's target, and by the program that serves it to NBD clients.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};

use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{BadDisk, RamDisks};
use crate::scenario::{Next, Scenario, Step};
use crate::set::{self, Line, Status};
use crate::{guest, program};

pub const SCENARIO: Scenario = Scenario {
    name: "interop",
    about: "what the kernel's target wrote the program dm-remap serves, and the other way round",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    limit_seconds: 600,
    ..Scenario::USUAL
};

/// Size of each disk.
const MIB: u64 = 16;
/// The bad sectors of the main disk, in the order in which they are met: by the kernel, then by the program, then by
/// the kernel again.
const BAD: [u64; 3] = [100, 200, 300];
/// Where everything happens.
const SECTORS: std::ops::Range<u64> = 0..400;

/// The disks, the main one with bad sectors.
struct Disks {
    main: BadDisk,
    ram: RamDisks,
}

impl Disks {
    fn new() -> Result<Self> {
        let ram = RamDisks::new(2, MIB)?;
        let main = BadDisk::new("main", ram.path(0))?;
        main.set_bad(&BAD.map(|sector| sector..sector + 1))?;
        Ok(Self { main, ram })
    }

    fn line(&self) -> Line {
        Line::new(&self.main.path(), self.ram.path(1))
    }
}

fn play(checks: &Checks) -> Result<Next> {
    let program = Program::find()?;
    from_the_kernel(checks, &program)?;
    from_the_program(checks, &program)?;
    Ok(Next::Done)
}

/// A set that the kernel makes.
fn from_the_kernel(checks: &Checks, program: &Program) -> Result<()> {
    let disks = Disks::new()?;
    let device = disks.line().create("set")?;
    device.message("remap 4096 4096")?;
    let io = Direct::open(&device.path())?;
    // One sector is lost, all others are written.
    ensure!(io.read(BAD[2], 1).is_err(), "a bad sector can be read");
    io.fill(0..BAD[2], 1)?;
    io.fill(BAD[2] + 1..SECTORS.end, 1)?;
    io.fill(4096..4160, 1)?;
    drop(io);
    let (status, mappings) = (Status::of(&device)?, set::mappings(&device)?);
    device.remove()?;

    let served = program.serve(&disks)?;
    let nbd = Direct::open(&served.disk)?;
    checks.good("the program serves what the kernel wrote", {
        nbd.verify(0..BAD[2], 1)
            .and_then(|()| nbd.verify(BAD[2] + 1..SECTORS.end, 1))
            .and_then(|()| nbd.verify(4096..4160, 1))
    });
    checks.that("a lost sector is lost", nbd.read(BAD[2], 1).is_err(), "it can be read");
    checks.good("the program changes it", nbd.fill(0..SECTORS.end, 2));
    checks.good("and serves what it changed", nbd.verify(SECTORS, 2));
    nbd.flush()?;
    drop(nbd);
    served.end()?;
    checks.good("the program finds the spare sound", program.check(&disks));

    let device = disks.line().create("set")?;
    let io = Direct::open(&device.path())?;
    checks.good("the kernel has what the program wrote", {
        io.verify(SECTORS, 2).and_then(|()| io.verify(4096..4160, 1))
    });
    let now = Status::of(&device)?;
    checks.eq("the lost sector is healed", (now.used, now.lost, status.lost), (status.used, 0, 1));
    let kept = set::mappings(&device)?;
    let moved = |list: &[set::Mapping]| list.iter().map(|m| (m.start, m.spare, m.slot)).collect::<Vec<_>>();
    checks.eq("every block is where it was", moved(&kept), moved(&mappings));
    drop(io);
    device.remove()
}

/// A set that the program makes.
fn from_the_program(checks: &Checks, program: &Program) -> Result<()> {
    let disks = Disks::new()?;
    program.create(&disks)?;
    let served = program.serve(&disks)?;
    let nbd = Direct::open(&served.disk)?;
    checks.good("a set that the program made takes a write to a bad sector", nbd.fill(0..BAD[1], 3));
    checks.that("and loses one that is only read", nbd.read(BAD[1], 1).is_err(), "it can be read");
    nbd.flush()?;
    drop(nbd);
    served.end()?;

    let device = disks.line().create("set")?;
    let io = Direct::open(&device.path())?;
    let status = Status::of(&device)?;
    checks.eq("the kernel opens it", (&*status.state, status.lost, status.retired), ("degraded", 1, 0));
    checks.good("it has what was written", io.verify(0..BAD[1], 3));
    checks.that("the lost sector is lost", io.read(BAD[1], 1).is_err(), "it can be read");
    checks.good("it is written", io.fill(BAD[1]..SECTORS.end, 4));
    let answer = device.message("unmap 96 8")?;
    checks.that("a bad block is not written back", answer.contains("failed 1"), answer);
    drop(io);
    device.remove()?;
    checks.good("the program finds the spare sound", program.check(&disks));

    // The server is killed in the middle, and the kernel goes on.
    let served = program.serve(&disks)?;
    let nbd = Direct::open(&served.disk)?;
    checks.good("the program has what the kernel wrote", {
        nbd.verify(0..BAD[1], 3).and_then(|()| nbd.verify(BAD[1]..SECTORS.end, 4))
    });
    nbd.fill(0..64, 5)?;
    nbd.flush()?;
    drop(nbd);
    served.kill()?;
    let device = disks.line().create("set")?;
    let io = Direct::open(&device.path())?;
    checks.good("after the program was killed the kernel has it all", {
        io.verify(0..64, 5)
            .and_then(|()| io.verify(64..BAD[1], 3))
            .and_then(|()| io.verify(BAD[1]..SECTORS.end, 4))
    });
    checks.eq("and loses nothing", Status::of(&device)?.lost, 0);
    drop(io);
    device.remove()
}

/// The program `dm-remap`.
struct Program(PathBuf);

/// A server with a disk of the kernel's NBD client.
struct Served {
    server: Child,
    disk: PathBuf,
}

impl Program {
    /// Built beside this one.
    fn find() -> Result<Self> {
        program::dm_remap().map(Self)
    }

    fn run(&self, words: &[&str]) -> Result<String> {
        // What it remembers of sets is gone with the guest.
        let home = guest::new_folder("home")?;
        program::of(program::command(&self.0.display().to_string()).args(words).env("HOME", home))
    }

    fn create(&self, disks: &Disks) -> Result<()> {
        let (main, spare) = (disks.main.path(), disks.ram.path(1));
        let words = ["create", "made", "--via", "nbd", "--main", text(&main)?, "--spare", text(spare)?];
        self.run(&words).map(drop)
    }

    /// Fails unless the spare is sound.
    fn check(&self, disks: &Disks) -> Result<()> {
        self.run(&["check", text(disks.ram.path(1))?]).map(drop)
    }

    fn serve(&self, disks: &Disks) -> Result<Served> {
        guest::load("nbd", &["nbds_max=1".to_owned()])?;
        let folder = guest::new_folder("serve")?;
        let (socket, control) = (folder.join("nbd"), folder.join("control"));
        let child = program::command(&self.0.display().to_string())
            .args(["serve", text(&disks.main.path())?, "--spare", text(disks.ram.path(1))?])
            .args(["--nbd", &format!("unix:{}", socket.display()), "--control", text(&control)?])
            .env("HOME", &folder)
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start the server")?;
        let served = Served { server: child, disk: PathBuf::from("/dev/nbd0") };
        guest::eventually("the server's socket", || {
            ensure!(socket.exists(), "there is none");
            Ok(())
        })?;
        let disk = text(&served.disk)?;
        program::run("nbd-client", ["-unix", text(&socket)?, disk, "-block-size", "512"])?;
        Ok(served)
    }
}

impl Served {
    fn disconnect(&self) -> Result<()> {
        program::run("nbd-client", ["-d", text(&self.disk)?]).map(drop)
    }

    /// In good order.
    fn end(mut self) -> Result<()> {
        self.disconnect()?;
        program::run("kill", ["-TERM", &self.server.id().to_string()])?;
        let status = self.server.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// At once.
    fn kill(mut self) -> Result<()> {
        self.server.kill()?;
        self.server.wait()?;
        self.disconnect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Nothing to be done if it is gone already.
        let _ = self.server.kill();
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}
