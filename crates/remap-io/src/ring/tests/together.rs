//! A queue and blocking threads on one device, while recovery holds and moves blocks under both.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use remap_core::Sector;

use super::{Files, Outcome, SECTORS, TwoFaced, queue_of};
use crate::disk::{AlignedBuffer, Disk, FaultyDisk};
use crate::members::CreateOptions;
use crate::testbed::{Random, sector_of, stamp_of};

/// What the queue's thread does to the sectors that are its own: the even runs of four.
struct Own {
    random: Random,
    holds: Vec<u64>,
    is_busy: Vec<bool>,
    next_stamp: u64,
}

impl Own {
    /// Chooses sectors of this thread that nothing is under way for.
    fn choose(&mut self) -> Option<(u64, u64)> {
        let from = self.random.below(SECTORS / 8) * 8 + self.random.below(4);
        let sectors = 1 + self.random.below(4 - from % 4);
        let range = from as usize..(from + sectors) as usize;
        if self.is_busy[range.clone()].contains(&true) {
            return None;
        }
        self.is_busy[range].fill(true);
        Some((from, sectors))
    }

    fn data(&mut self, from: u64, sectors: u64) -> Vec<u8> {
        let mut data = Vec::new();
        for sector in from..from + sectors {
            self.next_stamp += 1;
            self.holds[sector as usize] = self.next_stamp;
            data.extend(sector_of(self.next_stamp));
        }
        data
    }

    fn done(&mut self, from: u64, sectors: usize, read: Option<&[u8]>) {
        for (at, sector) in (from as usize..from as usize + sectors).enumerate() {
            self.is_busy[sector] = false;
            if let Some(data) = read {
                let bytes = &data[at * 512..(at + 1) * 512];
                assert_eq!(stamp_of(bytes), Some(self.holds[sector]), "sector {sector}");
            }
        }
    }
}

#[test]
fn a_queue_sees_no_half_moved_block() {
    let files = Files::new(&CreateOptions::default());
    let file = std::fs::File::options().read(true).write(true).open(files.dir.path().join("main")).unwrap();
    // Writes of blocking threads fail here and there, and their blocks move; the ring has no faults of its own.
    let faulty = std::sync::Arc::new(FaultyDisk::new(files.disk("main"), "".parse().unwrap()));
    let blocking: Box<dyn Disk> = Box::new(std::sync::Arc::clone(&faulty));
    let device = files.open(Box::new(TwoFaced { blocking, descriptor: file }));
    let Some(mut queue) = queue_of(&device) else { return };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (device, stop) = (&device, &stop);
            scope.spawn(move || {
                let mut random = Random::new(100 + thread);
                while !stop.load(Ordering::Relaxed) {
                    let sector = random.below(SECTORS / 8) * 8 + 4;
                    device.write(Sector(sector), &[thread as u8; 2048], random.below(9) == 0).unwrap();
                }
            });
        }
        let mut own = Own {
            random: Random::new(5),
            holds: vec![0; SECTORS as usize],
            is_busy: vec![false; SECTORS as usize],
            next_stamp: 0,
        };
        let mut script = String::new();
        let started = Instant::now();
        let mut finished = 0;
        let mut upset = Duration::ZERO;
        while started.elapsed() < Duration::from_secs(1) {
            if started.elapsed() > upset {
                upset += Duration::from_millis(10);
                let start = own.random.below(SECTORS / 8) * 8 + 4;
                writeln!(script, "bad-write {start} 4").unwrap();
                faulty.set_faults(script.parse().unwrap());
            }
            while queue.under_way() < 16 {
                let Some((from, sectors)) = own.choose() else { continue };
                match own.random.below(20) {
                    0 => {
                        own.done(from, sectors as usize, None);
                        queue.flush(u64::MAX);
                    }
                    1..=9 => {
                        let data = AlignedBuffer::copy_of(&own.data(from, sectors));
                        let durable = own.random.below(4) == 0;
                        queue.write(from, Sector(from), data, durable);
                    }
                    _ => queue.read(from, Sector(from), AlignedBuffer::zeroed(sectors as usize * 512)),
                }
            }
            queue.turn(true).unwrap();
            for completion in queue.completions() {
                finished += 1;
                match completion.outcome {
                    Outcome::Read(result, data) => {
                        result.unwrap();
                        own.done(completion.token, data.len() / 512, Some(&data));
                    }
                    Outcome::Write(result, data) => {
                        result.unwrap();
                        own.done(completion.token, data.len() / 512, None);
                    }
                    Outcome::Flush(result) => result.unwrap(),
                    other => panic!("{other:?}"),
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(finished > 100);
    });
    let status = device.status();
    assert!(status.slots_used > 5 && status.io.pieces_to_spare > 0, "{status:?}");
}
