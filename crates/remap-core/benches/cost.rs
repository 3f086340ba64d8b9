//! What a mapping costs the spare: bytes and flushes, for writes that fail alone and in a burst of a thousand.
//! Counted, not timed: the figures are the same on every machine.
#![allow(missing_docs, reason = "a program, not a library")]
#![allow(clippy::cast_precision_loss, reason = "figures to be read")]

#[path = "../tests/rig/mod.rs"]
mod rig;

use remap_core::port::{Device, Effect};
use remap_core::recovery::MAX_BATCH;
use remap_core::recovery::job::{Job, JobKind};
use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};
use rig::{Rig, Shape};

const MAPPINGS: u64 = 1000;
const BLOCK: u64 = 8;

fn main() {
    println!(
        "{MAPPINGS} failing writes of 4 KiB      flushes   per mapping   bytes to the spare, per mapping"
    );
    for copies in [2, 3, 5] {
        for (name, batch) in [("one by one", 1), ("in a burst", MAX_BATCH)] {
            let (flushes, bytes) = cost(copies, batch);
            println!(
                "{copies} copies, {name}              {flushes:7}   {:11.2}   {:31.0}",
                flushes as f64 / MAPPINGS as f64,
                bytes as f64 / MAPPINGS as f64,
            );
        }
    }
    let (burst, _) = cost(3, MAX_BATCH);
    println!("a burst with 3 copies takes {burst} flushes (goal: at most 200)");
}

/// Flushes of all devices and bytes written to the spare.
fn cost(copies: u32, batch: usize) -> (usize, u64) {
    let shape = Shape { copies, main_sectors: MAPPINGS * BLOCK, spares: &[20_000], ..Shape::default() };
    let mut rig = Rig::blank(&shape);
    let mut engine = rig.open();
    rig.log.clear();
    let jobs: Vec<(Job, Vec<u8>)> = (0..MAPPINGS)
        .map(|block| {
            let error = Some(DiskError::Medium);
            let kind = JobKind::Write { device: Device::Main, error, durable: false };
            let range = SectorRange::new(Sector(block * BLOCK), BLOCK);
            (Job { kind, range }, vec![1; BLOCK as usize * SECTOR_BYTES])
        })
        .collect();
    for jobs in jobs.chunks(batch) {
        let results = rig.batch(&mut engine, jobs.to_vec()).expect("the power lasts");
        assert!(results.iter().all(Result::is_ok), "a write failed");
    }
    let flushes = rig.count(|effect| matches!(effect, Effect::Flush { .. }));
    let bytes = rig.log.iter().map(|effect| match effect {
        Effect::Write { device: Device::Spare(_), sectors, .. } => sectors * SECTOR_BYTES as u64,
        _ => 0,
    });
    (flushes, bytes.sum())
}
