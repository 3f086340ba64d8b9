//! What a lookup costs, healthy and moved, against a hash map and a sorted array; and what opening a set costs.
//!
//! Two figures, in nanoseconds a lookup. *In a row*: lookups that do not depend on each other, as a busy queue
//! makes them; the processor overlaps them. *Alone*: each waits for what the one before it found, so that
//! every miss of the caches counts in full. Goals are for lookups in a row. Contenders run in alternated
//! rounds, since the speed of a machine drifts within minutes; the tables show medians, and medians of each
//! round's ratios to the first.

#[path = "../tests/rig/mod.rs"]
mod rig;

use remap_core::format::page::{self, PageHeader};
use remap_core::layout::{PAGE_BYTES, RECORDS_PER_PAGE};
use remap_core::map::MapTable;
use remap_core::record::{Masks, Record};
use remap_core::set::{Set, Target};
use remap_core::{BlockIndex, Sector, SectorRange};
use rig::{Engine, Rig, Shape};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// 4 TiB.
const MAIN_SECTORS: u64 = 1 << 33;
const BLOCKS: u64 = MAIN_SECTORS / 8;
const MAPPINGS: [u64; 3] = [0, 1000, 1_000_000];
const ROUNDS: usize = 51;
const LOOKUPS: u32 = 100_000;

/// Goals, in nanoseconds and seconds; and how many mappings they are for.
const HEALTHY_NS: f64 = 5.0;
const MOVED_NS: f64 = 40.0;
const OPEN_S: f64 = 1.0;

fn main() {
    // `cargo test --all-targets` runs it too, and only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    for mappings in MAPPINGS {
        let blocks = scattered(mappings);
        let started = Instant::now();
        let mut rig = with_mappings(&blocks);
        println!(
            "\n== {mappings} mappings on a main device of 4 TiB (made in {:.1} s)",
            started.elapsed().as_secs_f64()
        );
        let engine = opened(&mut rig, mappings);
        lookups(&engine, &blocks);
    }
}

/// Blocks all over the main device, none twice, but for none in its last half TiB.
fn scattered(count: u64) -> Vec<u64> {
    let regions = (BLOCKS / 8 * 7) / count.max(1);
    let mut random = Random(1);
    (0..count).map(|n| n * regions + random.next() % regions).collect()
}

/// A formatted set whose map pages tell of `blocks`.
fn with_mappings(blocks: &[u64]) -> Rig {
    let spare_sectors = 40_000 + blocks.len() as u64 * 9;
    let mut rig =
        Rig::blank(&Shape { main_sectors: MAIN_SECTORS, spares: &[spare_sectors], ..Shape::default() });
    let superblock = rig.newest_superblock(0).unwrap();
    let layout = superblock.layout_of(&superblock.members[0]).unwrap();
    for (index, blocks) in (0..).zip(blocks.chunks(RECORDS_PER_PAGE as usize)) {
        let mut bytes = [0; PAGE_BYTES];
        page::begin(&mut bytes, PageHeader { set: superblock.set, index, generation: 2 });
        for (at, block) in (0..).zip(blocks) {
            let masks = Masks { moved: 0xff, lost: 0, stale: 0 };
            page::put_record(&mut bytes, at, Record::Used { block: BlockIndex(*block), masks, version: 0 });
        }
        page::seal(&mut bytes);
        for copy in 0..superblock.copies {
            let start = layout.page_address(copy, index).0;
            for (sector, bytes) in (start..).zip(bytes.as_chunks::<512>().0) {
                rig.spare(0).poke(sector, bytes);
            }
        }
    }
    rig
}

/// Opens the set several times and says how long that takes, and how much of it the disks in memory take.
fn opened(rig: &mut Rig, mappings: u64) -> Engine {
    let mut figures = Vec::new();
    for _ in 0..5 {
        let before = rig.disk_time;
        let started = Instant::now();
        let engine = rig.open();
        let (all, disks) = (started.elapsed(), rig.disk_time.saturating_sub(before));
        assert_eq!(engine.set.gauges.mapped.value(), mappings);
        figures.push((all, disks));
        rig.close(engine);
    }
    figures.sort_unstable();
    let (all, disks) = figures[figures.len() / 2];
    let verdict = verdict(all.as_secs_f64() <= OPEN_S);
    println!(
        "open: {:.3} s, of which {:.3} s in the disks' memory (goal {OPEN_S} s: {verdict})",
        all.as_secs_f64(),
        disks.as_secs_f64()
    );
    rig.open()
}

fn lookups(engine: &Engine, blocks: &[u64]) {
    let set = engine.set;
    let table = set.table();
    let hash: HashMap<u64, u32> = blocks.iter().copied().zip(0..).collect();
    let mut sorted: Vec<(u64, u32)> = blocks.iter().copied().zip(0..).collect();
    sorted.sort_unstable();

    // Blocks of regions where nothing is mapped; neighbours of mapped blocks; mapped blocks.
    let mut random = Random(2);
    let clear: Vec<u64> = (0..LOOKUPS).map(|_| BLOCKS / 8 * 7 + random.next() % (BLOCKS / 8)).collect();
    let mut chosen = |offset| -> Vec<u64> {
        (0..LOOKUPS).map(|_| blocks[(random.next() % blocks.len() as u64) as usize] ^ offset).collect()
    };

    let mut contenders: Vec<Contender<'_>> = Vec::new();
    contenders.push(resolving("set, healthy, region clear", set, clear.clone(), Some(HEALTHY_NS)));
    if !blocks.is_empty() {
        let beside: Vec<u64> = chosen(1).into_iter().filter(|block| !hash.contains_key(block)).collect();
        let moved = chosen(0);
        contenders.push(resolving("set, healthy, region with a mapping", set, beside.clone(), None));
        contenders.push(resolving("set, moved", set, moved.clone(), None));
        contenders.push(in_table("table, healthy", table, beside.clone()));
        let mut own = in_table("table, moved", table, moved.clone());
        own.goal = Some(MOVED_NS);
        contenders.push(own);
        contenders.push(floor(&moved, blocks));
        for (name, chosen) in [("healthy", beside), ("moved", moved)] {
            let (map, list) = (&hash, &sorted);
            let (first, second) = (chosen.clone(), chosen);
            contenders.push(Contender::new(format!("HashMap, {name}"), move |order| {
                time(order, &first, |block| map.get(&block).copied().map_or(0, u64::from))
            }));
            contenders.push(Contender::new(format!("sorted array, {name}"), move |order| {
                time(order, &second, |block| {
                    let found = list.binary_search_by_key(&block, |(block, _)| *block);
                    found.map_or(0, |at| u64::from(list[at].1))
                })
            }));
        }
    }
    alternate(Order::InARow, &contenders);
    alternate(Order::Alone, &contenders);
}

fn resolving<'a>(name: &str, set: &'a Set<'a>, blocks: Vec<u64>, goal: Option<f64>) -> Contender<'a> {
    let mut contender = Contender::new(name.to_owned(), move |order| {
        time(order, &blocks, |block| match set.resolve(SectorRange::new(Sector(block * 8), 8)).target {
            Target::Spare { start, .. } => start.0,
            _ => 0,
        })
    });
    contender.goal = goal;
    contender
}

fn in_table<'a>(name: &str, table: &'a MapTable<'a>, blocks: Vec<u64>) -> Contender<'a> {
    Contender::new(name.to_owned(), move |order| {
        time(order, &blocks, |block| {
            table.lookup(BlockIndex(block)).map_or(0, |mapping| u64::from(mapping.slot.0))
        })
    })
}

/// What the memory alone costs: a cell of an index, and the record it names, in tables of the same size, with
/// nothing to search.
fn floor<'a>(moved: &[u64], blocks: &[u64]) -> Contender<'a> {
    let mut random = Random(3);
    let cells = MapTable::index_cells(blocks.len() as u64);
    let index: Vec<u32> = (0..cells).map(|_| (random.next() % blocks.len() as u64) as u32).collect();
    let records: Vec<[u64; 2]> = blocks.iter().map(|block| [*block, 0xff]).collect();
    let chosen: Vec<u64> = moved.iter().map(|_| random.next() % cells).collect();
    Contender::new("floor: two reads of memory".to_owned(), move |order| {
        time(order, &chosen, |cell| {
            let [block, value] = records[index[cell as usize] as usize];
            block ^ value
        })
    })
}

/// Whether a lookup waits for the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    InARow,
    Alone,
}

/// Looks all blocks up.
fn time(order: Order, blocks: &[u64], lookup: impl Fn(u64) -> u64) -> Duration {
    let never = black_box(0);
    let mut found = 0;
    let started = Instant::now();
    match order {
        Order::InARow => {
            for block in blocks {
                found ^= lookup(*block);
            }
        }
        Order::Alone => {
            for block in blocks {
                // Part of what the next lookup is for, and changes nothing of it.
                found = lookup(block + (found & never));
            }
        }
    }
    black_box(found);
    started.elapsed() * LOOKUPS / blocks.len() as u32
}

struct Contender<'a> {
    name: String,
    goal: Option<f64>,
    round: Box<dyn Fn(Order) -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    fn new(name: String, round: impl Fn(Order) -> Duration + 'a) -> Self {
        Self { name, goal: None, round: Box::new(round) }
    }
}

/// Each round starts with another contender, so that none always runs after the same neighbour.
fn alternate(order: Order, contenders: &[Contender<'_>]) {
    let mut figures = vec![Vec::new(); contenders.len()];
    for round in 0..ROUNDS {
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            figures[index].push((contenders[index].round)(order).as_secs_f64() * 1e9 / f64::from(LOOKUPS));
        }
    }
    let title = match order {
        Order::InARow => "ns a lookup, in a row",
        Order::Alone => "ns a lookup, alone",
    };
    println!("{title:38} {:>8} {:>8} {:>8} {:>7}", "median", "lowest", "highest", "ratio");
    for (contender, own) in contenders.iter().zip(&figures) {
        let ratios = own.iter().zip(&figures[0]).map(|(own, first)| own / first).collect();
        let lowest = own.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = own.iter().copied().fold(0.0, f64::max);
        let middle = median(own.clone());
        let goal = contender
            .goal
            .filter(|_| order == Order::InARow)
            .map_or(String::new(), |goal| format!("  goal {goal}: {}", verdict(middle <= goal)));
        println!(
            "{:38} {middle:8.1} {lowest:8.1} {highest:8.1} {:7.2}{goal}",
            contender.name,
            median(ratios)
        );
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Numbers that look random: a linear congruential generator's upper bits.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 24
    }
}
