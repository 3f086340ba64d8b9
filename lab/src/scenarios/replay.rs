//! The power is cut at every moment of a workload, by replaying what reached each of the disks until then. What
//! was flushed is there, at each of them.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::checks::Checks;
use crate::direct::Direct;
use crate::disks::{BadDisk, RamDisks, SECTORS_PER_MIB};
use crate::scenario::{Next, Scenario, Step};
use crate::set::{Line, Status};
use crate::versions::{Versions, content};
use crate::write_log::{LoggedDisk, WriteLog};

pub const SCENARIO: Scenario = Scenario {
    name: "replay",
    about: "at every moment of a workload the power may go, and what was flushed is there",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    needs_modules: &["dm_log_writes"],
    memory_mib: 2048,
    limit_seconds: 900,
    ..Scenario::USUAL
};

/// Size of each disk.
const MIB: u64 = 8;
const SECTORS: u64 = MIB * SECTORS_PER_MIB;
/// How often the workload flushes.
const FLUSHES: usize = 32;
/// Sectors that the workload writes are so far apart, and so many.
const EVERY: u64 = 37;
const COUNT: u64 = 160;
/// One in so many of them is bad.
const BAD: usize = 3;

/// Of a moment: where it is in the logs of both disks, and what the sectors may hold.
struct Moment {
    main: usize,
    spare: usize,
    versions: Vec<Versions>,
}

fn sector(index: usize) -> u64 {
    8 + index as u64 * EVERY
}

fn bad() -> Vec<std::ops::Range<u64>> {
    (0..COUNT as usize).filter(|index| index.is_multiple_of(BAD)).map(|n| sector(n)..sector(n) + 1).collect()
}

/// Numbers without an order, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

fn play(checks: &Checks) -> Result<Next> {
    let ram = RamDisks::new(4, 64)?;
    // Small parts of large RAM disks: those of the logs must be large.
    let disks = ["one", "two"].into_iter().enumerate().map(|(index, name)| {
        crate::dm::Device::create(name, &crate::dm::Table::new().linear(SECTORS, ram.path(index), 0))
    });
    let disks = disks.collect::<Result<Vec<_>>>()?;
    let (main, spare) = (disks[0].path(), disks[1].path());
    let logged_main = LoggedDisk::new("logged-main", &main, ram.path(2))?;
    let logged_spare = LoggedDisk::new("logged-spare", &spare, ram.path(3))?;
    let history = work(checks, &logged_main, &logged_spare)?;
    let (main_log, spare_log) = (logged_main.end()?, logged_spare.end()?);
    checks.that(
        "the logs hold what was written",
        main_log.len() > 100 && spare_log.len() > 100,
        "they do not",
    );
    println!("{} writes to the main disk, {} to the spare", main_log.len(), spare_log.len());
    let moments = history.into_iter().enumerate().map(|(number, versions)| {
        let name = number.to_string();
        Ok(Moment { main: main_log.mark(&name)?, spare: spare_log.mark(&name)?, versions })
    });
    let moments = moments.collect::<Result<Vec<_>>>()?;
    replay(checks, (&main, &main_log), (&spare, &spare_log), &moments)?;
    Ok(Next::Done)
}

/// Writes, moves and flushes; marks in both logs what was flushed. Gives the versions at each mark.
fn work(checks: &Checks, main: &LoggedDisk, spare: &LoggedDisk) -> Result<Vec<Vec<Versions>>> {
    let bad_main = BadDisk::new("main", &main.path())?;
    bad_main.set_bad(&bad())?;
    let device = Line::new(&bad_main.path(), &spare.path()).create("set")?;
    let io = Direct::open(&device.path())?;
    let mut versions = vec![Versions::default(); COUNT as usize];
    let mut history = Vec::new();
    let mut dice = Dice(7);
    for number in 0..FLUSHES {
        for _ in 0..=dice.below(6) {
            let index = dice.below(COUNT as usize);
            let version = versions[index].written + 1;
            io.write(sector(index), &content(sector(index), version))?;
            versions[index].written = version;
        }
        if number % 8 == 5 {
            // Moves what was written before, and what was not.
            device.message(&format!("remap {} {}", sector(number), 2 * EVERY))?;
        }
        io.flush()?;
        for versions in &mut versions {
            versions.durable = versions.written;
        }
        main.mark(&number.to_string())?;
        spare.mark(&number.to_string())?;
        history.push(versions.clone());
    }
    let status = Status::of(&device)?;
    // Bad sectors that nobody wrote are lost with what is moved around them.
    checks.that("the workload moves blocks", status.used > 20, format!("{status:?}"));
    drop(io);
    device.remove()?;
    Ok(history)
}

/// Goes through all moments, and through some between each two.
fn replay(
    checks: &Checks,
    (main, main_log): (&Path, &WriteLog),
    (spare, spare_log): (&Path, &WriteLog),
    moments: &[Moment],
) -> Result<()> {
    let bytes = usize::try_from(SECTORS)? * 512;
    let (mut main_image, mut spare_image) = (vec![0; bytes], vec![0; bytes]);
    let (mut main_at, mut spare_at) = (0, 0);
    let bad_main = BadDisk::new("main", main)?;
    bad_main.set_bad(&bad())?;
    let line = Line::new(&bad_main.path(), spare);
    let mut dice = Dice(9);
    let (mut failures, mut tried) = (Vec::new(), 0);
    for (number, moment) in moments.iter().enumerate() {
        let next = moments.get(number + 1);
        // At the mark, then somewhere before the next, each disk on its own: no order holds between them.
        for between in [false, true] {
            let (mut to_main, mut to_spare, mut versions) =
                (moment.main, moment.spare, moment.versions.clone());
            if between {
                let Some(next) = next else { continue };
                to_main += dice.below(next.main - moment.main + 1);
                to_spare += dice.below(next.spare - moment.spare + 1);
                for (versions, later) in versions.iter_mut().zip(&next.versions) {
                    versions.written = later.written;
                }
            }
            main_log.replay(main_at..to_main, &mut main_image)?;
            spare_log.replay(spare_at..to_spare, &mut spare_image)?;
            (main_at, spare_at) = (to_main, to_spare);
            Direct::open(main)?.write(0, &main_image)?;
            Direct::open(spare)?.write(0, &spare_image)?;
            tried += 1;
            if let Err(error) = look(&line, &versions) {
                failures.push(format!("writes {to_main}+{to_spare} after flush {number}: {error:#}"));
            }
        }
    }
    checks.eq(
        format!("after each of {tried} power cuts all that was flushed is there"),
        failures,
        Vec::new(),
    );
    Ok(())
}

/// Opens the set as after a power cut, and compares.
fn look(line: &Line, versions: &[Versions]) -> Result<()> {
    let device = line.create("set")?;
    let io = Direct::open(&device.path())?;
    // Bad sectors that nobody wrote would be found lost, one by one.
    for (index, versions) in versions.iter().enumerate().filter(|(_, versions)| versions.written > 0) {
        versions.check_on(&io, sector(index))?;
    }
    // What nobody wrote.
    ensure!(io.read(SECTORS - 8, 8) == Ok(vec![0; 4096]), "a sector that nobody wrote holds something");
    drop(io);
    let answer = device.message("verify_metadata")?;
    ensure!(answer.ends_with("bad 0"), "{answer}");
    device.remove()
}
