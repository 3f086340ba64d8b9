//! The machine loses power again and again in the middle of a workload. A journal on a disk of its own says what
//! was acknowledged as durable; all of that is there afterwards.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::fs::OFlags;

use crate::checks::Checks;
use crate::direct::{Direct, SECTOR_BYTES};
use crate::disks::{BadDisk, kept};
use crate::dm::Device;
use crate::scenario::{Disk, Next, Scenario, Step};
use crate::set::{Line, Status};
use crate::versions::{Versions, content};

pub const SCENARIO: Scenario = Scenario {
    name: "power",
    about: "after power cuts in the middle of recovery everything acknowledged is there",
    steps: &[
        Step { name: "first", play: |checks| cut(checks, 0) },
        Step { name: "second", play: |checks| cut(checks, 1) },
        Step { name: "third", play: |checks| cut(checks, 2) },
        Step { name: "check", play: check },
    ],
    needs_target: true,
    disks: &[
        Disk { name: "main", mebibytes: 24 },
        Disk { name: "spare", mebibytes: 16 },
        Disk { name: "journal", mebibytes: 1 },
    ],
    memory_mib: 1024,
    limit_seconds: 600,
    ..Scenario::USUAL
};

/// Each boot has sectors of its own to write for the first time, so that there is something to move in each.
const BOOTS: u64 = 3;
/// How many sectors each boot has.
const COUNT: u64 = 512;
/// So far are they apart: some blocks hold two of them.
const EVERY: u64 = 23;
/// One in so many of them is bad.
const BAD: u64 = 2;
/// How many write at once.
const WRITERS: u64 = 4;
/// How long they write before the power is cut.
const WORK: Duration = Duration::from_secs(4);

fn sector(index: u64) -> u64 {
    index * EVERY
}

/// The disks of this boot, and the set on them.
struct Machine {
    device: Device,
    main: BadDisk,
    journal: Journal,
}

impl Machine {
    fn start() -> Result<Self> {
        let main = BadDisk::new("main", &kept("main")?)?;
        let bad: Vec<_> = (0..BOOTS * COUNT)
            .filter(|index| index.is_multiple_of(BAD))
            .map(|n| sector(n)..sector(n) + 1)
            .collect();
        main.set_bad(&bad)?;
        let device = Line::new(&main.path(), &kept("spare")?).create("set")?;
        Ok(Self { device, main, journal: Journal(kept("journal")?) })
    }
}

/// A sector for each sector of the set that is written: its version that was acknowledged last.
struct Journal(PathBuf);

impl Journal {
    /// Opened such that a write is durable when it ends, by the kernel alone.
    fn open(&self) -> Result<File> {
        let flags = i32::try_from((OFlags::DIRECT | OFlags::SYNC).bits())?;
        let file = OpenOptions::new().write(true).custom_flags(flags).open(&self.0);
        file.context("opening the journal")
    }

    fn versions(&self) -> Result<Vec<u64>> {
        let bytes = Direct::open(&self.0)?.read(0, usize::try_from(BOOTS * COUNT)?)?;
        let number = |sector: &[u8; SECTOR_BYTES]| {
            sector.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        Ok(bytes.as_chunks::<SECTOR_BYTES>().0.iter().map(number).collect())
    }
}

/// Memory at an address that direct IO takes.
#[repr(align(512))]
struct Aligned([u8; SECTOR_BYTES]);

/// Looks at everything the journal knows of. A write may have been under way when the power went.
fn verify(checks: &Checks, machine: &Machine, what: &str) -> Result<Vec<u64>> {
    let versions = machine.journal.versions()?;
    let io = Direct::open(&machine.device.path())?;
    let mut wrong = Vec::new();
    // Bad sectors that nobody wrote would be found lost, one by one; those of a write that was under way, too.
    let is_tried = |index: u64, durable: u64| durable > 0 || !index.is_multiple_of(BAD);
    for (index, &durable) in (0..).zip(&versions).filter(|(index, durable)| is_tried(*index, **durable)) {
        let versions = Versions { durable, written: durable + 1 };
        if let Err(error) = versions.check_on(&io, sector(index)) {
            wrong.push(error.to_string());
        }
    }
    let written = versions.iter().filter(|version| **version > 0).count();
    let writes: u64 = versions.iter().sum();
    checks.eq(format!("{what}: {written} sectors are there, after {writes} writes"), wrong, Vec::new());
    Ok(versions)
}

fn cut(checks: &Checks, boot: u64) -> Result<Next> {
    let machine = Machine::start()?;
    let before = verify(checks, &machine, &format!("before cut {}", boot + 1))?;
    let answer = machine.device.message("verify_metadata")?;
    checks.that("no metadata is bad", answer.ends_with("bad 0"), answer);
    let machine = Arc::new(machine);
    for writer in 0..WRITERS {
        let (machine, before) = (Arc::clone(&machine), before.clone());
        // Ended by the power cut.
        thread::spawn(move || match write(&machine, before, boot, writer) {
            Ok(()) => {}
            Err(error) => println!("writer {writer} ended: {error:#}"),
        });
    }
    // Blocks move without being written, too.
    let orders = Arc::clone(&machine);
    thread::spawn(move || {
        for start in (0..).map(|n| 40_000 + n * 16 + boot * 1600).take(100) {
            if orders.device.message(&format!("remap {start} 16")).is_err() {
                println!("remap is refused");
            }
        }
    });
    thread::sleep(WORK);
    let status = Status::of(&machine.device)?;
    let written =
        machine.journal.versions()?.iter().zip(&before).filter(|(now, before)| now > before).count();
    checks.that("the workload writes", written > 20, written);
    checks.that("blocks move", status.used > (boot + 1) * 20, format!("{status:?}"));
    println!("{written} sectors written, {} blocks moved", status.used);
    // Devices stay as they are until the power is gone.
    std::mem::forget(machine);
    Ok(Next::PowerCut)
}

/// Writes for ever: a sector in its next version, made durable, then noted.
fn write(machine: &Machine, mut versions: Vec<u64>, boot: u64, writer: u64) -> Result<()> {
    let io = Direct::open(&machine.device.path())?;
    let journal = machine.journal.open()?;
    let mut dice = boot * WRITERS + writer;
    loop {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Mostly of this boot, also of those before.
        let of = if dice >> 62 == 0 { (dice >> 32) % (boot + 1) } else { boot };
        let index = of * COUNT + (dice >> 34) % (COUNT / WRITERS) * WRITERS + writer;
        let version = &mut versions[usize::try_from(index)?];
        *version += 1;
        io.write(sector(index), &content(sector(index), *version))?;
        io.flush()?;
        let mut record = Aligned([0; SECTOR_BYTES]);
        record.0[..8].copy_from_slice(&version.to_le_bytes());
        let length = rustix::io::pwrite(&journal, &record.0, index * SECTOR_BYTES as u64)?;
        ensure!(length == SECTOR_BYTES, "a journal that takes {length} bytes");
    }
}

fn check(checks: &Checks) -> Result<Next> {
    let machine = Machine::start()?;
    let versions = verify(checks, &machine, "at last")?;
    let written = |boot: u64| {
        let of = usize::try_from(boot * COUNT)..usize::try_from((boot + 1) * COUNT);
        let (Ok(from), Ok(to)) = (of.start, of.end) else { return 0 };
        versions[from..to].iter().filter(|version| **version > 0).count()
    };
    checks.that("every boot has written", (0..BOOTS).all(|boot| written(boot) > 20), "one has not");
    let status = Status::of(&machine.device)?;
    checks.eq("no slot is retired", status.retired, 0);
    machine.device.remove()?;
    let device = Line::new(&machine.main.path(), &kept("spare")?).create("set")?;
    let machine = Machine { device, main: machine.main, journal: machine.journal };
    verify(checks, &machine, "closed and opened")?;
    Ok(Next::Done)
}
