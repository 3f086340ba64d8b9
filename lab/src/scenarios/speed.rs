//! How fast the target is, beside `linear` on the same disks: alternated rounds, medians of their ratios.
//!
//! Nothing here passes or fails by its time. Figures of an emulated machine are worth something as ratios only.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use remap_core::format::page::{self, PageHeader};
use remap_core::format::superblock::Superblock;
use remap_core::layout::{PAGE_BYTES, RECORDS_PER_PAGE};
use remap_core::record::{Masks, Record};
use remap_core::units::BlockIndex;

use crate::checks::Checks;
use crate::direct::{Direct, pattern};
use crate::disks::{BadDisk, RamDisks, SECTORS_PER_MIB};
use crate::dm::{Device, Table};
use crate::fio;
use crate::scenario::{Next, Scenario, Step};

pub const SCENARIO: Scenario = Scenario {
    name: "speed",
    about: "requests a second beside linear, the cost of a mapping, and how long opening takes",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    only_if_named: true,
    own_boot: true,
    memory_mib: 3072,
    limit_seconds: 2400,
    ..Scenario::USUAL
};

const ROUNDS: usize = 5;
const MAPPINGS: u64 = 1_000_000;
/// Blocks of 4 KiB in the part of the main disk where every block is moved, and where it ends.
const MOVED_MIB: u64 = 3904;
/// The part where one block in each MiB is moved, so that the region filter does not help.
const HEALTHY_MIB: u64 = 512;

/// fio's options of each pattern.
const PATTERNS: [(&str, &[&str]); 4] = [
    ("4 KiB random reads, depth 1", &["rw=randread", "iodepth=1"]),
    ("4 KiB random reads, depth 16", &["rw=randread", "iodepth=16"]),
    ("4 KiB random reads, depth 16, two jobs", &["rw=randread", "iodepth=16", "numjobs=2"]),
    ("4 KiB random writes, depth 16", &["rw=randwrite", "iodepth=16"]),
];

fn play(checks: &Checks) -> Result<Next> {
    compare(checks)?;
    mapping(checks)?;
    Ok(Next::Done)
}

/// The disks are sparse: what was never written takes no memory.
fn compare(checks: &Checks) -> Result<()> {
    let mebibytes = MOVED_MIB + HEALTHY_MIB + 64;
    let ram = RamDisks::new(4, mebibytes)?;
    let sectors = mebibytes * SECTORS_PER_MIB;
    let line = |main: usize| format!("{} {}", ram.path(main).display(), ram.path(main + 1).display());
    let table = |main| Table::new().target("remap", sectors, &line(main));
    let linear = |main: usize| {
        let line = format!("{} 0", ram.path(main).display());
        Device::create(&format!("linear{main}"), &Table::new().target("linear", sectors, &line))
    };

    let start = Instant::now();
    let empty = Device::create("empty", &table(2))?;
    println!("creating and formatting a set: {:.1} ms", milliseconds(start.elapsed()));
    empty.remove()?;
    let empty = timed("opening a set without mappings", || Device::create("empty", &table(2)))?;
    Device::create("million", &table(0))?.remove()?;
    let mapped = fill_map(ram.path(1), mebibytes)?;
    let million =
        timed(&format!("opening a set with {mapped} mappings"), || Device::create("million", &table(0)))?;
    let status = million.status()?;
    checks.eq("every mapping is there", status.split(' ').nth(4), Some(&*mapped.to_string()));
    let (beside_million, beside_empty) = (linear(0)?, linear(2)?);
    for (name, device, base, offset, size) in [
        ("empty table", &empty, &beside_empty, 0, HEALTHY_MIB),
        ("healthy sectors among a million mappings", &million, &beside_million, MOVED_MIB, HEALTHY_MIB),
        ("moved sectors", &million, &beside_million, 0, MOVED_MIB),
    ] {
        for (pattern, options) in PATTERNS {
            // Few pages, so that writing to sparse disks takes little memory.
            let size = if pattern.contains("writes") { 64 } else { size };
            let ratio = ratio(&device.path(), &base.path(), offset, size, options)?;
            println!("{name}, {pattern}: {ratio:.3} of linear");
        }
    }
    checks.ok("remap was measured beside linear");
    Ok(())
}

/// The median of the rounds' ratios; each round starts with the other device.
fn ratio(device: &Path, base: &Path, offset: u64, size: u64, options: &[&str]) -> Result<f64> {
    let offset = format!("offset={offset}m");
    let size = format!("size={size}m");
    let fixed =
        ["bs=4k", "time_based", "runtime=2", "ramp_time=1", "thread", "group_reporting", &offset, &size];
    let options: Vec<&str> = fixed.into_iter().chain(options.iter().copied()).collect();
    let measure = |device: &Path| -> Result<f64> {
        let report = fio::run(device, &options)?;
        Ok(report.read.iops + report.write.iops)
    };
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let (own, other) = if round % 2 == 0 {
            let own = measure(device)?;
            (own, measure(base)?)
        } else {
            let other = measure(base)?;
            (measure(device)?, other)
        };
        ratios.push(own / other);
    }
    Ok(median(ratios))
}

/// Writes map pages with a million mappings to the spare of a set that is not open. The slots hold nothing.
fn fill_map(spare: &Path, mebibytes: u64) -> Result<u64> {
    let disk = Direct::open(spare)?;
    let superblock = Superblock::parse(&disk.read(0, 8)?).context("the set's superblock")?;
    let member = superblock.members.first().context("a set without a member")?;
    let layout = superblock.layout_of(member).context("a member without a layout")?;
    let masks = Masks { moved: 0xff, lost: 0, stale: 0 };
    // All of the moved part, then one block in each MiB behind it.
    let moved = MOVED_MIB * 256;
    let block = |slot: u64| if slot < moved { slot } else { (slot - moved) * 256 + moved };
    let slots = MAPPINGS.min(moved + mebibytes - MOVED_MIB - 1).min(u64::from(member.slots));
    for number in 0..member.pages() {
        let mut bytes = [0; PAGE_BYTES];
        page::begin(&mut bytes, PageHeader { set: superblock.set, index: number, generation: 1 << 20 });
        for at in 0..RECORDS_PER_PAGE {
            let slot = u64::from(number) * u64::from(RECORDS_PER_PAGE) + u64::from(at);
            if slot < slots {
                page::put_record(
                    &mut bytes,
                    at,
                    Record::Used { block: BlockIndex(block(slot)), masks, version: 0 },
                );
            }
        }
        page::seal(&mut bytes);
        for copy in 0..superblock.copies {
            disk.write(layout.page_address(copy, number).0, &bytes)?;
        }
    }
    Ok(slots)
}

/// What it takes to move blocks.
fn mapping(checks: &Checks) -> Result<()> {
    for copies in [2, 3] {
        let ram = RamDisks::new(2, 64)?;
        let main = BadDisk::new("main", ram.path(0))?;
        let line = format!("{} {} 2 copies {copies}", main.path().display(), ram.path(1).display());
        let device = Device::create("set", &Table::new().target("remap", main.sectors(), &line))?;
        let bad: Vec<_> = (0..32).map(|n| n * 64..n * 64 + 1).collect();
        main.set_bad(&bad)?;
        let io = Direct::open(&device.path())?;
        let mut times = Vec::new();
        for sector in bad.iter().map(|range| range.start) {
            let start = Instant::now();
            io.write(sector, &pattern(sector, 1))?;
            times.push(milliseconds(start.elapsed()));
        }
        println!(
            "a failing write, until it is acknowledged and durable, {copies} copies: {:.2} ms",
            median(times)
        );
        main.set_bad(&[])?;
        let blocks = 4096;
        let start = Instant::now();
        device.message(&format!("remap 8192 {}", blocks * 8))?;
        let rate = f64::from(blocks) / start.elapsed().as_secs_f64();
        println!("blocks moved by order, {copies} copies: {rate:.0} a second");
        checks.ok(format!("mappings with {copies} copies were measured"));
    }
    Ok(())
}

fn timed<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work()?;
    println!("{what}: {:.1} ms", milliseconds(start.elapsed()));
    Ok(result)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
